"""Seconds become minutes become hours: rows are replaced by their sums in one statement each.

So a reader that sums over any range sees the right total at every moment, and a crash leaves nothing half done.
"""

from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

from monitoring.rollups.models import Grain

# Rows younger than this keep their grain, for the charts that need it.
KEEP_SECONDS = timedelta(hours=2)
KEEP_MINUTES = timedelta(days=8)
# Seconds of the same bucket, written by many batches, are summed into one row soon after.
SETTLE = timedelta(seconds=30)
LOOK_BACK = timedelta(minutes=5)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Histograms are summed bucket by bucket, with the arrays taken apart and put together again.
MERGE = """
WITH old AS (
    DELETE FROM rollups_rollup WHERE grain = %(from)s AND bucket < %(before)s AND bucket >= %(after)s RETURNING *
), keyed AS (
    SELECT date_bin(%(width)s::interval, bucket, timestamptz 'epoch') AS to_bucket, old.* FROM old
), counts AS (
    -- A source has one broker, and where there is no source there is none.
    SELECT to_bucket, origin_id, max(broker) AS broker, event_type, service, sum(received) AS received,
        sum(size_bytes) AS size_bytes, sum(duplicates) AS duplicates, sum(dead_letters) AS dead_letters,
        sum(invalid) AS invalid, sum(handled) AS handled, sum(failed) AS failed
    FROM keyed GROUP BY to_bucket, origin_id, event_type, service
), arrival AS (
    SELECT to_bucket, origin_id, event_type, service, array_agg(b ORDER BY b) AS buckets,
        array_agg(c ORDER BY b) AS counts
    FROM (
        SELECT to_bucket, origin_id, event_type, service, b, sum(c)::bigint AS c
        FROM keyed, unnest(arrival_buckets, arrival_counts) AS part (b, c)
        GROUP BY to_bucket, origin_id, event_type, service, b
    ) AS parts GROUP BY to_bucket, origin_id, event_type, service
), processing AS (
    SELECT to_bucket, origin_id, event_type, service, array_agg(b ORDER BY b) AS buckets,
        array_agg(c ORDER BY b) AS counts
    FROM (
        SELECT to_bucket, origin_id, event_type, service, b, sum(c)::bigint AS c
        FROM keyed, unnest(processing_buckets, processing_counts) AS part (b, c)
        GROUP BY to_bucket, origin_id, event_type, service, b
    ) AS parts GROUP BY to_bucket, origin_id, event_type, service
)
INSERT INTO rollups_rollup (grain, bucket, origin_id, broker, event_type, service, received, size_bytes, duplicates,
    dead_letters, invalid, handled, failed, arrival_buckets, arrival_counts, processing_buckets, processing_counts)
SELECT %(to)s, k.to_bucket, k.origin_id, k.broker, k.event_type, k.service, k.received, k.size_bytes, k.duplicates,
    k.dead_letters, k.invalid, k.handled, k.failed, coalesce(a.buckets, '{}'), coalesce(a.counts, '{}'),
    coalesce(p.buckets, '{}'), coalesce(p.counts, '{}')
FROM counts k
LEFT JOIN arrival a ON (a.to_bucket, a.event_type, a.service) = (k.to_bucket, k.event_type, k.service)
    AND a.origin_id IS NOT DISTINCT FROM k.origin_id
LEFT JOIN processing p ON (p.to_bucket, p.event_type, p.service) = (k.to_bucket, k.event_type, k.service)
    AND p.origin_id IS NOT DISTINCT FROM k.origin_id
"""


def merge(now: datetime | None = None) -> None:
    """Make minutes of old seconds, hours of old minutes, and one row of each second that has settled."""
    now = (now or timezone.now()).replace(microsecond=0)
    minutes_end = (now - KEEP_MINUTES).replace(minute=0, second=0)
    seconds_end = (now - KEEP_SECONDS).replace(second=0)
    _replace(Grain.MINUTE, Grain.HOUR, EPOCH, minutes_end)
    _replace(Grain.SECOND, Grain.MINUTE, EPOCH, seconds_end)
    # This runs every minute, so only the last few minutes can hold a second in several rows.
    _replace(Grain.SECOND, Grain.SECOND, now - LOOK_BACK, now - SETTLE)


def _replace(grain: Grain, by: Grain, after: datetime, before: datetime) -> None:
    """Replace the rows of `grain` in [after, before) by their sums in buckets of the width `by`."""
    width = f"{by.value} seconds"
    with connection.cursor() as cursor:
        cursor.execute(MERGE, {"from": grain, "to": by, "after": after, "before": before, "width": width})
