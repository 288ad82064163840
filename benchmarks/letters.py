"""A million dead letters for the benchmark of their pages: written by PostgreSQL itself, in a minute or so."""

# The last groups have been quiet for long: all their letters are among the oldest.
QUIET_GROUPS = 10
QUIET_SHARE = 20
COUNTRIES = ("DE", "FR", "IT", "ES", "PL")


def fill(letters: int, groups: int) -> None:
    """Letters of many groups of unequal sizes, a tenth of them closed, with values to find them by.

    Six sources, thirty event types, forty topics and twenty services are common and mixed; the source ``legacy`` with
    all that is its own failed long ago and never since. A few old letters came back within the last hour.
    """
    from django.db import connection

    from dlq import counts
    from eventhub.brokers.models import Kind, Role, Source

    for name in ("dlq-0", "dlq-1", "dlq-2", "dlq-3", "dlq-4", "dlq-5", "legacy"):
        config = {"streams": [f"dead.{name}"]}
        Source.objects.create(name=name, kind=Kind.REDIS, role=Role.DEAD_LETTERS, config=config)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")  # the rows refer to what is there
        cursor.execute(_GROUPS, {"groups": groups, "quiet": QUIET_GROUPS})
        indexes = _take_indexes_away()
        cursor.execute(
            _LETTERS,
            {
                "letters": letters,
                "groups": groups,
                "quiet": QUIET_GROUPS,
                "old": letters // QUIET_SHARE,
                "countries": [_digest(f"data.country = {name}") for name in COUNTRIES],
                "order": _digest("data.order_id = 4711"),
                "campaign": _digest("data.campaign = spring"),
                "channels": [_digest(f"data.channel = c{n}") for n in range(20)],
            },
        )
        for definition in indexes:
            cursor.execute(definition)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute(_COUNTS)
        cursor.execute(_LANES)
        cursor.execute("VACUUM ANALYZE dlq_deadletter, dlq_deadlettergroup, dlq_groupcount, dlq_lane")
    counts.merge()


def _digest(asked: str) -> int:
    from dlq.attributes import read_attribute

    return read_attribute(asked).digests[0]


def _take_indexes_away() -> list[str]:
    """Drop the indexes of the letters, which are faster made at the end; returns how to make them again."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'dlq_deadletter' AND indexname NOT IN (
                SELECT conname FROM pg_constraint WHERE conrelid = 'dlq_deadletter'::regclass
            )
            """
        )
        indexes = cursor.fetchall()
        for name, _ in indexes:
            cursor.execute(f'DROP INDEX "{name}"')
    return [definition for _, definition in indexes]


_GROUPS = """
    INSERT INTO dlq_deadlettergroup (source_id, fingerprint, title, reason, event_type, failed_in, error_class,
        first_seen_at, example_stack, snoozed_by, fixed_in, fixed_by)
    SELECT source.id, 'bench-' || n, 'Error' || n || ': the order could not be handled in step ' || n, 'service',
           CASE WHEN quiet THEN 'legacy.imported' ELSE
               (ARRAY['order', 'payment', 'shipment'])[1 + n %% 3] || '.' || (ARRAY['placed', 'paid', 'sent', 'held',
               'checked', 'moved', 'booked', 'split', 'closed', 'priced'])[1 + n %% 10] END,
           CASE WHEN quiet THEN 'legacy' ELSE 'service-' || n %% 20 END,
           CASE WHEN quiet THEN 'legacy.BadRow' ELSE 'shop.Error' || n %% 120 END,
           now() - interval '30 days', 'File "/app/x.py", line 1', '', '', ''
    FROM (SELECT n, n > %(groups)s - %(quiet)s AS quiet FROM generate_series(1, %(groups)s) n) new
    JOIN brokers_source source ON source.name = CASE WHEN quiet THEN 'legacy' ELSE 'dlq-' || n %% 6 END
"""

# A few groups hold most letters, as in a flood: the third power of an even number is uneven.
_LETTERS = """
    INSERT INTO dlq_deadletter (group_id, source_id, reason, status, origin_key, body, size_bytes, headers,
        properties, key, topic, read_from, "offset", event_id, event_type, event_version, correlation_id,
        failed_in, error_class, error_message, stack, attempts, returns, first_failed_at, last_failed_at,
        recorded_at, closed_at, closed_by, closed_note, attributes)
    SELECT g.id, g.source_id, 'service', letter.status, 'bench/' || letter.n,
           convert_to('{"event_id": "' || letter.n || '", "data": "' || repeat('x', 330) || '"}', 'UTF8'), 370,
           '{"dlq-group": "service"}', '{}', NULL,
           CASE WHEN letter.quiet THEN 'legacy.rows' ELSE 'shop.t' || g.id %% 40 END, 'dead.' || g.source_id,
           letter.n::text, 'evt-' || letter.n, g.event_type, '1', 'trace-' || letter.n / 5, g.failed_in, g.error_class,
           'The order ' || letter.n || ' could not be handled', repeat('File "/app/shop/orders.py", line 88 ', 8), 3,
           letter.back::int, at, CASE WHEN letter.back THEN now() - letter.n %% 3600 * interval '1 second' ELSE at END,
           at, CASE WHEN letter.status = 'open' THEN NULL ELSE at END, '', '',
           ARRAY[(%(countries)s::bigint[])[1 + letter.n %% 5], (%(channels)s::bigint[])[1 + letter.n %% 20],
                 hashint8extended(letter.n, 1), hashint8extended(letter.n %% 977, 2),
                 hashint8extended(letter.n %% 9973, 3), hashint8extended(letter.n / 5, 4),
                 CASE WHEN letter.quiet THEN %(campaign)s ELSE hashint8extended(letter.n %% 50021, 5) END,
                 CASE WHEN letter.n %% 250000 = 1000 THEN %(order)s ELSE hashint8extended(letter.n, 6) END]
    FROM (
        SELECT n, n <= %(old)s AS quiet, n %% 100 = 3 AND n BETWEEN %(old)s AND %(letters)s / 4 AS back,
               CASE WHEN n <= %(old)s THEN %(groups)s - n %% %(quiet)s ELSE 1 + floor(
                   (%(groups)s - %(quiet)s) * power(((n::bigint * 7919) %% 100003) / 100003.0, 3))::int END AS of,
               CASE n %% 20 WHEN 0 THEN 'resolved' WHEN 1 THEN 'discarded' ELSE 'open' END AS status,
               now() - (%(letters)s - n) * interval '2 seconds' AS at
        FROM generate_series(1, %(letters)s) n
    ) letter
    JOIN dlq_deadlettergroup g ON g.fingerprint = 'bench-' || letter.of
    ORDER BY letter.n
"""

_COUNTS = """
    INSERT INTO dlq_groupcount (group_id, hour, failures, letters_change, open_change, last_failed_at)
    SELECT group_id, date_trunc('hour', last_failed_at), count(*), count(*),
           count(*) FILTER (WHERE status = 'open'), max(last_failed_at)
    FROM dlq_deadletter GROUP BY 1, 2
"""

_LANES = """
    INSERT INTO dlq_lane (key, group_id, source_id, topic, read_from)
    SELECT DISTINCT lane, group_id, source_id, topic, read_from FROM dlq_deadletter
"""
