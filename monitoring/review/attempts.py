"""Attempts at events: what a consumer tried and how it went; EventHub's own handlers leave theirs in its tables."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from monitoring.review.piece import select

# From this attempt on a consumer is hammering, not retrying.
MANY_FROM = 5
# The latest failures of each handler that are looked at.
MOST_FAILURES = 2_000
SHOWN = 5

# Failures by handler and type: attempt_failed (handler, -id) for each handler, then each delivery by its key. An
# attempt's number goes on through the runs of a delivery that a person asked for; a run begins after its earlier ones.
FAILURES = f"""
SELECT handler.name, delivery.event_type, count(*), count(*) FILTER (WHERE number - earlier >= {MANY_FROM}),
    (array_agg(delivery.event_id ORDER BY (number - earlier >= {MANY_FROM}) DESC, failed.id DESC))[1:{SHOWN}],
    min(ended_at), max(ended_at)
FROM handlers_handler AS handler CROSS JOIN LATERAL (
    SELECT id, delivery_id, number, ended_at FROM handlers_attempt
    WHERE handler_id = handler.id AND outcome <> 'succeeded' AND outcome = 'failed'
    ORDER BY id DESC LIMIT {MOST_FAILURES}
) AS failed JOIN handlers_delivery AS delivery ON delivery.id = failed.delivery_id
CROSS JOIN LATERAL (SELECT CASE WHEN number > earlier_attempts THEN earlier_attempts ELSE 0 END AS earlier) AS run
WHERE ended_at >= %s GROUP BY 1, 2
"""  # noqa: S608 - constants
# What the rollups counted of these: all attempts, and those that failed.
COUNTED = """
SELECT service, event_type, sum(handled + failed)::bigint, sum(failed)::bigint FROM rollups_rollup
WHERE bucket >= %s AND origin_id IS NULL AND service = ANY(%s) GROUP BY 1, 2"""  # rollup_bucket


class Tries(msgspec.Struct, frozen=True):
    """A consumer's attempts at events of one type: all, those that failed, those that were one too many."""

    consumer: str
    event_type: str
    tried: int
    failed: int
    hammered: int
    samples: Sequence[str]
    first_at: datetime
    last_at: datetime


def of_handlers(since: datetime) -> Iterable[Tries]:
    """What EventHub's own handlers tried since then and failed at."""
    failures = select(FAILURES, since)
    names = sorted({row[0] for row in failures})
    counted = {(row[0], row[1]): row[2:] for row in select(COUNTED, since, names)} if names else {}
    for name, event_type, failed, hammered, samples, first_at, last_at in failures:
        tried, all_failed = counted.get((name, event_type), (failed, failed))
        yield Tries(
            name,
            event_type,
            max(tried, failed),
            max(all_failed, failed),
            hammered,
            samples,
            first_at,
            last_at,
        )
