"""The same event id with other content: what happened cannot change afterwards."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.db import connection

from monitoring.review.facts import Facts
from monitoring.review.models import Severity
from monitoring.review.rule import MOST_EVIDENCE, Evidence, Rule, Verdict, events

# Of a producer that changes everything, the newest so many are looked at.
MOST = 20_000
MOST_PATHS = 6


class Mutated(msgspec.Struct):
    """The changed events of one type of a service."""

    n: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None
    ids: list[str] = []


class MutatedEvents(Rule):
    """Reads what the store keeps aside (``events_mutatedduplicate``); there is nothing to count."""

    key = "mutated-events"
    title = "Events that change"
    severity = Severity.BROKEN

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each type of a service."""
        for (service, name), mutated in _mutated(facts.since).items():
            if mutated.first_at is None or mutated.last_at is None:
                continue
            changes = [_changes(one) for one in mutated.ids[:MOST_EVIDENCE]]
            paths = sorted({path for change in changes for path in change})
            yield Verdict(
                service=service,
                subject=name,
                title=f"{service or 'An unnamed service'} changes {name} after it was published",
                detail="The same event id came again with other content"
                + (f", different in {', '.join(paths[:MOST_PATHS])}." if paths else "."),
                advice="Publish what is new as an event of its own, with an id of its own and the first as its cause: "
                f"a correction is something that happened, too ({_correction(name)}). Make ids from what "
                "happened, never from the state of a row that changes.",
                n=mutated.n,
                evidence=_evidence(mutated.ids, changes),
                first_at=mutated.first_at,
                last_at=mutated.last_at,
            )


def _correction(name: str) -> str:
    head = name.rpartition(".")[0]
    return f"{head}.corrected" if head else "…Corrected"


def _evidence(ids: Sequence[str], changes: Sequence[Sequence[str]]) -> list[Evidence]:
    links = events(ids)
    return [
        msgspec.structs.replace(link, words=f"changed: {', '.join(paths[:3])}" if paths else "changed")
        for link, paths in zip(links, changes, strict=False)
    ]


def _mutated(since: datetime) -> dict[tuple[str, str], Mutated]:
    found: dict[tuple[str, str], Mutated] = defaultdict(Mutated)
    with connection.cursor() as cursor:
        cursor.execute(  # the primary key, backwards
            f"""SELECT coalesce(source, ''), event_type, times_seen, first_seen_at, last_seen_at, event_id
                FROM (SELECT * FROM events_mutatedduplicate ORDER BY id DESC LIMIT {MOST}) AS newest
                WHERE last_seen_at >= %s ORDER BY last_seen_at DESC""",  # noqa: S608 - a constant
            [since],
        )
        for service, name, times, first_at, last_at, event_id in cursor:
            one = found[service, name]
            one.n += times
            one.first_at = min(one.first_at or first_at, first_at)
            one.last_at = max(one.last_at or last_at, last_at)
            if event_id not in one.ids and len(one.ids) < MOST_EVIDENCE:
                one.ids.append(event_id)
    return found


def _changes(event_id: str) -> list[str]:
    """Where the stored event and the one kept aside differ."""
    with connection.cursor() as cursor:
        cursor.execute(  # events_event_once
            """SELECT aside.content, event.event_type, event.event_version, event.data::text
               FROM events_mutatedduplicate aside JOIN events_event event
                   ON event.event_id = aside.event_id AND event.occurred_at = aside.occurred_at
               WHERE aside.event_id = %s ORDER BY aside.id DESC LIMIT 1""",
            [event_id],
        )
        row = cursor.fetchone()
    if row is None:
        return []
    content, name, version, data = row
    other = msgspec.json.decode(content)
    found = [
        path
        for path, mine, its in (
            ("event_type", name, other.get("event_type")),
            ("event_version", version, other.get("event_version")),
        )
        if mine != its
    ]
    return found + differing(msgspec.json.decode(data) if data else None, other.get("data"))


def differing(one: Any, other: Any, path: str = "data") -> list[str]:
    """The paths at which two JSON values differ, in order; a path is not followed below where it differs."""
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            found
            for name in sorted(one.keys() | other.keys())
            for found in differing(one.get(name), other.get(name), f"{path}.{name}")
        ]
    return [] if one == other else [path]
