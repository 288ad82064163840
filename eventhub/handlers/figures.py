"""What the pages and the API show of handlers: their standing, their rates, what waits. No page counts deliveries."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from django.db import connection

from eventhub.handlers import registry, states
from eventhub.handlers.breaker import Circuit
from eventhub.handlers.models import Handler
from eventhub.handlers.registry import Subscription
from eventhub.handlers.standing import Facts, Level, judge
from monitoring.rollups import reading
from monitoring.rollups.reading import GroupTotals, Totals

# Waiting deliveries are counted no further than this.
MOST_COUNTED = 10_000
# Error rate and processing time are of this long.
RECENT = timedelta(minutes=15)
RATE_OVER = timedelta(minutes=1)
SPARK_STEP_S = 30


class Waiting(msgspec.Struct, frozen=True):
    """What waits for one handler, counted up to `MOST_COUNTED`."""

    # For a worker, for their retry, and in a worker's hands.
    due: int = 0
    later: int = 0
    in_hand: int = 0
    # When the longest waiting one of those for a worker became due, and when the next retry is.
    due_since: datetime | None = None
    next_at: datetime | None = None

    @property
    def total(self) -> int:
        """All of them."""
        return self.due + self.later + self.in_hand

    @property
    def is_more(self) -> bool:
        """Whether there are more than were counted."""
        return self.total >= MOST_COUNTED


class HandlerNow(msgspec.Struct, frozen=True, kw_only=True):
    """A handler as it stands now."""

    name: str
    id: int
    description: str
    patterns: Sequence[str]
    place: str
    is_declared: bool
    enabled: bool
    paused: bool
    word: str
    level: Level
    advice: str
    circuit: str
    opened_at: datetime | None
    opened_by: str
    probe_at: datetime | None
    # Attempts a second that ended, over the last minute.
    per_s: float
    # Of the last fifteen minutes: attempts, the share that failed, and processing times in seconds.
    succeeded: int
    failed: int
    error_ratio: float | None
    p50_s: float | None
    p95_s: float | None
    waiting: Waiting
    # Attempts that ended in each half minute of the last fifteen.
    spark: Sequence[int]


def handlers_now(now: datetime) -> list[HandlerNow]:
    """All handlers by name: those the code declares, and those that it once did and that something is left of."""
    states.current()  # what is declared has a row
    rows = list(Handler.objects.order_by("name"))
    if not rows:
        return []
    declared = registry.subscriptions()
    waiting = waiting_of([row.pk for row in rows])
    recent = {one.key: one for one in reading.totals_by("service", now - RECENT, now)}
    minute = {one.key: one.totals for one in reading.totals_by("service", now - RATE_OVER, now)}
    sparks = reading.deliveries_by_service([row.name for row in rows], now - RECENT, now, SPARK_STEP_S)
    return [
        _now(
            row,
            declared.get(row.name),
            waiting.get(row.pk, Waiting()),
            recent.get(row.name, GroupTotals(row.name, Totals())),
            minute.get(row.name, Totals()),
            sparks.get(row.name, []),
            now,
        )
        for row in rows
    ]


def handler_now(name: str, now: datetime) -> HandlerNow | None:
    """One of them; None when there is no such handler."""
    return next((one for one in handlers_now(now) if one.name == name), None)


def stopped_handlers() -> list[str]:
    """The handlers that are in use and that their circuit breaker has stopped. One small statement."""
    stopped = Handler.objects.exclude(circuit=Circuit.CLOSED).filter(enabled=True, paused=False)
    return list(stopped.order_by("name").values_list("name", flat=True))


def waiting_of(handler_ids: Sequence[int]) -> dict[int, Waiting]:
    """What waits for each of these handlers."""
    with connection.cursor() as cursor:
        cursor.execute(  # delivery_waiting, and delivery_lost
            """
            SELECT wanted.id, found.* FROM unnest(%(ids)s::bigint[]) AS wanted (id) CROSS JOIN LATERAL (
                SELECT count(*) FILTER (WHERE due_at <= now() AND NOT in_hand),
                       count(*) FILTER (WHERE due_at > now() AND NOT in_hand),
                       count(*) FILTER (WHERE in_hand),
                       min(due_at) FILTER (WHERE due_at <= now() AND NOT in_hand),
                       min(due_at) FILTER (WHERE due_at > now() AND NOT in_hand)
                FROM (
                    (SELECT due_at, coalesce(lease_until > now(), false) AS in_hand FROM handlers_delivery
                     WHERE handler_id = wanted.id AND state = 'waiting' AND lost = 0 ORDER BY due_at
                     LIMIT %(most)s)
                    UNION ALL
                    (SELECT due_at, coalesce(lease_until > now(), false) FROM handlers_delivery
                     WHERE handler_id = wanted.id AND state = 'waiting' AND lost > 0 ORDER BY due_at
                     LIMIT %(most)s)
                ) AS counted
            ) AS found
            """,
            {"ids": list(handler_ids), "most": MOST_COUNTED},
        )
        return {row[0]: Waiting(*row[1:]) for row in cursor.fetchall()}


def _now(
    row: Handler,
    subscription: Subscription | None,
    waiting: Waiting,
    recent: GroupTotals,
    minute: Totals,
    spark: Sequence[int],
    now: datetime,
) -> HandlerNow:
    overdue_s = (now - waiting.due_since).total_seconds() if waiting.due_since else None
    standing = judge(
        Facts(
            is_declared=subscription is not None,
            enabled=row.enabled,
            paused=row.paused,
            circuit=Circuit(row.circuit),
            failures=row.failures,
            probe_at=row.probe_at,
            in_hand=waiting.in_hand,
            overdue_s=overdue_s,
            succeeded=recent.totals.handled,
            failed=recent.totals.failed,
        ),
        now,
    )
    return HandlerNow(
        name=row.name,
        id=row.pk,
        description=subscription.description if subscription else "",
        patterns=subscription.patterns if subscription else (),
        place=subscription.place if subscription else "",
        is_declared=subscription is not None,
        enabled=row.enabled,
        paused=row.paused,
        word=standing.word,
        level=standing.level,
        advice=standing.advice,
        circuit=row.circuit,
        opened_at=row.opened_at,
        opened_by=row.opened_by,
        probe_at=row.probe_at,
        per_s=(minute.handled + minute.failed) / RATE_OVER.total_seconds(),
        succeeded=recent.totals.handled,
        failed=recent.totals.failed,
        error_ratio=recent.totals.error_ratio,
        p50_s=recent.p50_s,
        p95_s=recent.p95_s,
        waiting=waiting,
        spark=spark,
    )
