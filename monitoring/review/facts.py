"""What the rules counted: kept by the hour, added to by the reader, summed up for judging."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec
from django.db import connection

from monitoring.review.flow import Flow, flow
from monitoring.review.models import Count

WINDOW = timedelta(hours=24)
KEPT_FOR = timedelta(days=8)
MOST_SAMPLES = 5
# Names longer than an index holds are cut.
LONGEST = 300


class Counted(msgspec.Struct, frozen=True):
    """So many of something, with the ids of some."""

    measure: str
    n: int
    service: str = ""
    event_type: str = ""
    detail: str = ""
    samples: Sequence[str] = ()


class Fact(msgspec.Struct, frozen=True):
    """A count over the window."""

    service: str
    event_type: str
    detail: str
    n: int
    first_at: datetime
    last_at: datetime
    samples: Sequence[str]


class Facts:
    """The counts of the last 24 hours up to `now`, and the flow of that time."""

    def __init__(self, now: datetime, by_measure: dict[str, list[Fact]]) -> None:
        self.now = now
        self.since = now - WINDOW
        self._by_measure = by_measure

    @cached_property
    def flow(self) -> Flow:
        """Who heard and who answered."""
        return flow(self.since)

    def of(self, measure: str) -> list[Fact]:
        """All counts of a measure."""
        return self._by_measure.get(measure, [])

    def total(self, measure: str, *by: str) -> dict[tuple[str, ...], Fact]:
        """The counts of a measure summed up by some of service, event_type, detail."""
        groups: dict[tuple[str, ...], list[Fact]] = defaultdict(list)
        for fact in self.of(measure):
            groups[tuple(getattr(fact, name) for name in by)].append(fact)
        return {key: _sum(facts) for key, facts in groups.items()}


def _sum(facts: Sequence[Fact]) -> Fact:
    latest = max(facts, key=lambda fact: fact.last_at)
    samples = [
        one for fact in sorted(facts, key=lambda fact: fact.last_at, reverse=True) for one in fact.samples
    ]
    return Fact(
        latest.service,
        latest.event_type,
        latest.detail,
        sum(fact.n for fact in facts),
        min(fact.first_at for fact in facts),
        latest.last_at,
        samples[:MOST_SAMPLES],
    )


def add(counts: Iterable[Counted], at: datetime) -> None:
    """Add to the hour of `at`, in the caller's transaction. There is one writer: it holds the reader's lock."""
    hour = at.replace(minute=0, second=0, microsecond=0)
    merged: dict[tuple[str, ...], tuple[int, list[str]]] = {}
    for one in counts:
        if not one.n:
            continue
        key = (one.measure, one.service[:LONGEST], one.event_type[:LONGEST], one.detail[:LONGEST])
        n, samples = merged.get(key, (0, []))
        merged[key] = (n + one.n, [*samples, *one.samples][:MOST_SAMPLES])
    rows: list[tuple[Any, ...]] = [
        (hour, *key, n, at, at, samples) for key, (n, samples) in sorted(merged.items())
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"""INSERT INTO review_count AS kept (hour, measure, service, event_type, detail, n, first_at, last_at,
                    samples) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (hour, measure, service, event_type, detail) DO UPDATE SET n = kept.n + excluded.n,
                    first_at = least(kept.first_at, excluded.first_at),
                    last_at = greatest(kept.last_at, excluded.last_at),
                    samples = (excluded.samples || kept.samples)[1:{MOST_SAMPLES}]""",  # noqa: S608 - a constant
            rows,
        )


def facts(now: datetime) -> Facts:
    """What was counted in the last 24 hours, hours that the window cuts counting whole."""
    by_measure: dict[str, list[Fact]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(  # review_count_once (hour, …)
            """SELECT measure, service, event_type, detail, sum(n)::bigint, min(first_at), max(last_at),
                   (array_agg(array_to_json(samples)::text ORDER BY hour DESC))[1]
               FROM review_count WHERE hour > %s GROUP BY 1, 2, 3, 4""",
            [now - WINDOW - timedelta(hours=1)],
        )
        for measure, service, event_type, detail, n, first_at, last_at, samples in cursor:
            ids = msgspec.json.decode(samples, type=list[str])
            by_measure[measure].append(Fact(service, event_type, detail, n, first_at, last_at, ids))
    return Facts(now, by_measure)


def forget(now: datetime) -> int:
    """Drop counts that no page asks for any more; how many rows."""
    return Count.objects.filter(hour__lt=now - KEPT_FOR).delete()[0]
