"""How fast the pages of dead letters answer when a million letters are there."""

import statistics
import time
from collections.abc import Sequence

from benchmarks import stage
from benchmarks.record import record

LETTERS = 1_000_000
GROUPS = 400
GOAL_MS = 100.0
ROUNDS = 7
# What people open: the page as it is, a filter of each kind, the flat list, a page far down, a letter.
PAGES = (
    "/dead-letters/",
    "/dead-letters/?group=all",
    "/dead-letters/?status=all&group=all",
    "/dead-letters/?status=discarded",
    "/dead-letters/?source=flood&type=order.placed",
    "/dead-letters/?service=service-7",
    "/dead-letters/?q=order+777",
    "/dead-letters/?q=data.order_id+%3D+4711",
    "/dead-letters/?q=data.country+%3D+DE&group=all",
    "/dead-letters/?q=topic+%3D+shop.orders",
    "/dead-letters/?since=24h&group=all",
    "/dead-letters/?state=regressed",
)


def run() -> bool:
    """The slowest median of the pages over a million letters, in milliseconds of the server."""
    with stage.services():
        from django.contrib.auth.models import User
        from django.test import Client

        fill(LETTERS, GROUPS)
        client = Client(SERVER_NAME="localhost")
        client.force_login(User.objects.create_user("bench", is_staff=True))
        medians = {page: _median_ms(client, page) for page in (*PAGES, *_deeper())}
    for page, median in sorted(medians.items(), key=lambda item: -item[1]):
        print(f"{median:8.1f} ms  {page}")
    return record(
        "dlq-list",
        value=max(medians.values()),
        unit="ms",
        reference=f"the time that a page over {LETTERS:,} letters may take",
        reference_value=GOAL_MS,
        goal=1.0,
        better="lower",
    )


def _deeper() -> Sequence[str]:
    from dlq.models import DeadLetter
    from eventhub.pages.cursor import encode_cursor

    middle = DeadLetter.objects.order_by("pk").values_list("pk", flat=True)[LETTERS // 2]
    return (
        f"/dead-letters/?group=all&cursor={encode_cursor(middle)}",
        f"/dead-letters/{middle}/",
    )


def _median_ms(client: object, page: str) -> float:
    from django.test import Client

    assert isinstance(client, Client)
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        response = client.get(page)
        times.append((time.perf_counter() - started) * 1000)
        if response.status_code != 200:
            raise AssertionError(f"{page} answers {response.status_code}")
    return statistics.median(times)


def fill(letters: int, groups: int) -> None:
    """Letters of many groups of unequal sizes, a tenth of them closed, with values to find them by."""
    from django.db import connection

    from dlq import counts
    from dlq.attributes import read_attribute
    from eventhub.brokers.models import Kind, Role, Source

    source = Source.objects.create(
        name="flood", kind=Kind.REDIS, role=Role.DEAD_LETTERS, config={"streams": ["flood"]}
    )
    countries = [
        read_attribute(f"data.country = {name}").digests[0] for name in ("DE", "FR", "IT", "ES", "PL")
    ]
    order = read_attribute("data.order_id = 4711").digests[0]
    values: dict[str, int | list[int]] = {
        "source": source.pk, "letters": letters, "groups": groups, "countries": countries, "order": order,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO dlq_deadlettergroup (source_id, fingerprint, title, reason, event_type, failed_in, error_class,
                first_seen_at, example_stack, snoozed_by, fixed_in, fixed_by)
            SELECT %(source)s, 'bench-' || n, 'Error' || n || ': the order could not be handled in step ' || n,
                   'service',
                   (ARRAY['order.placed', 'payment.authorized', 'shipment.created'])[1 + n %% 3],
                   'service-' || n %% 20, 'shop.Error' || n, now() - interval '30 days', 'File "/app/x.py", line 1', '',
                   '', ''
            FROM generate_series(1, %(groups)s) n
            """,
            values,
        )
        cursor.execute("SET session_replication_role = replica")  # the rows refer to what is there
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
        # A few groups hold most letters, as in a flood: the square of an even number is uneven.
        cursor.execute(
            """
            INSERT INTO dlq_deadletter (group_id, source_id, reason, status, origin_key, body, size_bytes, headers,
                properties, key, topic, read_from, "offset", event_id, event_type, event_version, correlation_id,
                failed_in, error_class, error_message, stack, attempts, returns, first_failed_at, last_failed_at,
                recorded_at, closed_at, closed_by, closed_note, attributes)
            SELECT g.id, %(source)s, 'service', letter.status, 'bench/' || letter.n,
                   convert_to('{"event_id": "' || letter.n || '", "data": "' || repeat('x', 330) || '"}', 'UTF8'), 370,
                   '{"dlq-group": "service"}', '{}', NULL, 'shop.orders', 'flood', letter.n::text, 'evt-' || letter.n,
                   g.event_type, '1', 'trace-' || letter.n / 5, g.failed_in, g.error_class,
                   'The order ' || letter.n || ' could not be handled', '', 3, 0, at, at, at,
                   CASE WHEN letter.status = 'open' THEN NULL ELSE at END, '', '',
                   ARRAY[(%(countries)s::bigint[])[1 + letter.n %% 5], hashint8extended(letter.n, 1),
                         CASE WHEN letter.n %% 250000 = 1000 THEN %(order)s ELSE hashint8extended(letter.n, 2) END]
            FROM (
                SELECT n, 1 + floor(%(groups)s * power(((n::bigint * 7919) %% 100003) / 100003.0, 3))::int AS of,
                       CASE n %% 20 WHEN 0 THEN 'resolved' WHEN 1 THEN 'discarded' ELSE 'open' END AS status,
                       now() - (%(letters)s - n) * interval '2 seconds' AS at
                FROM generate_series(1, %(letters)s) n
            ) letter
            JOIN dlq_deadlettergroup g ON g.fingerprint = 'bench-' || letter.of
            """,
            values,
        )
        for _, definition in indexes:
            cursor.execute(definition)
        cursor.execute("SET session_replication_role = DEFAULT")
        cursor.execute(
            """
            INSERT INTO dlq_groupcount (group_id, hour, failures, letters_change, open_change, last_failed_at)
            SELECT group_id, date_trunc('hour', last_failed_at), count(*), count(*),
                   count(*) FILTER (WHERE status = 'open'), max(last_failed_at)
            FROM dlq_deadletter GROUP BY 1, 2
            """
        )
        cursor.execute("VACUUM ANALYZE dlq_deadletter, dlq_deadlettergroup, dlq_groupcount")
    counts.merge()
