"""Groups of letters that died of the same thing: found by fingerprint, made at first need."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from django.db import connection
from django.utils import timezone

from dlq.fingerprint import Fingerprint
from dlq.models import Reason
from dlq.text import indexable, storable
from eventhub.brokers.models import Source
from eventhub.events.envelope import Event


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
    def failed_at(self) -> datetime | None: ...  # noqa: D102


@dataclass(slots=True)
class _New:
    found: Fingerprint
    failure: Failure
    first_seen_at: datetime


def group_ids(source: Source, failures: Sequence[tuple[Fingerprint, Failure]]) -> list[int]:
    """The group id of each failure, in the same order; makes the groups that are missing.

    One statement when all groups are known, three when some are new. Groups are made in the order of their
    fingerprints, so that two transactions that make the same ones do not lock each other out.
    """
    now = timezone.now()
    wanted: dict[str, _New] = {}
    for found, failure in failures:
        new = wanted.setdefault(found.digest, _New(found, failure, now))
        new.first_seen_at = min(new.first_seen_at, failure.failed_at or now)
    known = _known(list(wanted))
    if missing := sorted(wanted.keys() - known.keys()):
        _make(source, [wanted[digest] for digest in missing])
        known |= _known(missing)
    return [known[found.digest] for found, _ in failures]


def _known(digests: list[str]) -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT fingerprint, id FROM dlq_deadlettergroup WHERE fingerprint = ANY(%s)", [digests]
        )
        return dict(cursor.fetchall())


def _make(source: Source, new: Sequence[_New]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO dlq_deadlettergroup
                (source_id, first_seen_at, fingerprint, title, reason, event_type, failed_in, error_class)
            SELECT %s, new.* FROM unnest(
                %s::timestamptz[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[]
            )
                AS new (first_seen_at, fingerprint, title, reason, event_type, failed_in, error_class)
            ON CONFLICT (fingerprint) DO NOTHING
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
            ],
        )
