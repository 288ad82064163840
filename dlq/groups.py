"""Groups of letters that died of the same thing: found by fingerprint and by people's rules, made at first need."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import msgspec
from django.db import connection
from django.utils import timezone

from dlq.fingerprint import Fingerprint
from dlq.models import DeadLetterGroup, Reason
from dlq.rules import LOCK, MOST_PARTS, Fields, Part, Rules, readable
from dlq.text import indexable, storable
from eventhub.brokers.models import Source
from eventhub.events.envelope import Event

# Of a stack, so much is kept with the group to be searched.
EXAMPLE_CHARS = 8_000
MAX_TITLE_CHARS = 400


class Failure(Protocol):
    """What a group takes over from the first letter in it."""

    @property
    def reason(self) -> Reason: ...  # noqa: D102
    @property
    def event(self) -> Event | None: ...  # noqa: D102
    @property
    def failed_in(self) -> str: ...  # noqa: D102
    @property
    def error_class(self) -> str: ...  # noqa: D102
    @property
    def stack(self) -> str: ...  # noqa: D102
    @property
    def failed_at(self) -> datetime | None: ...  # noqa: D102
    @property
    def fields(self) -> Fields: ...  # noqa: D102


class Place(msgspec.Struct, frozen=True):
    """The group a letter is in, and the one of its fingerprint where a rule put it elsewhere."""

    group: int
    own_group: int | None = None
    # The group was marked as fixed: its next failure is a regression.
    is_fixed: bool = False


@dataclass(slots=True)
class _New:
    found: Fingerprint
    failure: Failure
    first_seen_at: datetime


def places(source: Source, failures: Sequence[tuple[Fingerprint, Failure]]) -> list[Place]:
    """The group of each failure, in the same order; makes the groups that are missing. Call it inside a transaction.

    Two statements when all groups are known, more when some are new. Groups are made in the order of their
    fingerprints, so that two transactions that make the same ones do not lock each other out.
    """
    now = timezone.now()
    wanted: dict[str, _New] = {}
    for found, failure in failures:
        new = wanted.setdefault(found.digest, _New(found, failure, now))
        new.first_seen_at = min(new.first_seen_at, failure.failed_at or now)
    known = _known(list(wanted))
    if missing := sorted(wanted.keys() - known.keys()):
        known |= _make(source, [wanted[digest] for digest in missing])
        if missing := [digest for digest in missing if digest not in known]:
            known |= _known(missing)  # somebody else made them meanwhile
    rules = Rules.in_force()
    own = [known[found.digest] for found, _ in failures]
    ends = own
    if rules:
        ends = settle(
            rules, [(group, failure.fields) for group, (_, failure) in zip(own, failures, strict=True)]
        )
    return [
        Place(group, first if group != first else None, group in rules.fixed)
        for group, first in zip(ends, own, strict=True)
    ]


def settle(rules: Rules, letters: Sequence[tuple[int, Fields]]) -> list[int]:
    """The groups of letters, given the groups of their fingerprints; makes the parts that are missing."""
    parts: dict[Part, int | None] = {}
    while True:
        found = [rules.place(own, fields, parts) for own, fields in letters]
        unknown = {place for place in found if isinstance(place, Part)}
        if not unknown:
            return [place for place in found if isinstance(place, int)]
        parts |= _parts(unknown)


def _parts(wanted: Iterable[Part]) -> Mapping[Part, int | None]:
    """The groups of these parts, made where they are missing and the rule has not made too many."""
    by_fingerprint = {part.fingerprint: part for part in wanted}
    known = _known(list(by_fingerprint))
    missing = sorted(by_fingerprint.keys() - known.keys())
    for fingerprint in missing:
        part = by_fingerprint[fingerprint]
        if DeadLetterGroup.objects.filter(split_by=part.rule).count() >= MOST_PARTS:
            continue
        whole = DeadLetterGroup.objects.get(pk=part.group)
        group, _ = DeadLetterGroup.objects.get_or_create(
            fingerprint=fingerprint,
            defaults={
                "title": storable(f"{whole.title} · {readable(part.field)} {part.value}")[:MAX_TITLE_CHARS],
                "reason": whole.reason,
                "source_id": whole.source_id,
                "event_type": part.value if part.field == "event_type" else whole.event_type,
                "failed_in": part.value if part.field == "failed_in" else whole.failed_in,
                "error_class": part.value if part.field == "error_class" else whole.error_class,
                "first_seen_at": timezone.now(),
                "example_stack": whole.example_stack,
                "split_by_id": part.rule,
            },
        )
        known[fingerprint] = group.pk
    return {part: known.get(fingerprint) for fingerprint, part in by_fingerprint.items()}


def _known(digests: list[str]) -> dict[str, int]:
    """The groups that are there. From here to the end of the transaction no rule about groups changes."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT pg_advisory_xact_lock_shared(%s)::text, (
                SELECT json_object_agg(fingerprint, id) FROM dlq_deadlettergroup WHERE fingerprint = ANY(%s)
            )
            """,
            [LOCK, digests],
        )
        row = cursor.fetchone()
    return dict(row[1] or {}) if row else {}


def _make(source: Source, new: Sequence[_New]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO dlq_deadlettergroup
                (source_id, first_seen_at, fingerprint, title, reason, event_type, failed_in, error_class,
                 example_stack, snoozed_by, fixed_in, fixed_by)
            SELECT %s, new.*, '', '', '' FROM unnest(
                %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                %s::text[]
            )
                AS new (first_seen_at, fingerprint, title, reason, event_type, failed_in, error_class,
                    example_stack)
            ON CONFLICT (fingerprint) DO NOTHING RETURNING fingerprint, id
            """,
            [
                source.pk,
                [group.first_seen_at for group in new],
                [group.found.digest for group in new],
                [storable(group.found.title) for group in new],
                [group.failure.reason.value for group in new],
                [indexable(group.failure.event.event_type) if group.failure.event else "" for group in new],
                [storable(group.failure.failed_in) for group in new],
                [storable(group.failure.error_class) for group in new],
                [storable(group.failure.stack[:EXAMPLE_CHARS]) for group in new],
            ],
        )
        return dict(cursor.fetchall())
