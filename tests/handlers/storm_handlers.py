"""Handlers for the storm: each writes to a table of its own, and fails at random. Loaded by real workers."""

import random
import zlib

from django.db import connection

from eventhub.handlers import Event, PermanentError, Retry, TemporaryError, handles

TEMPORARY = 0.08
# One event in a hundred is never handled, and it is always the same ones: who counts can tell which.
PERMANENT_IN = 100
PATIENT = Retry(max_attempts=12, base=0.05, cap=0.5)


def is_hopeless(handler: str, event_id: str) -> bool:
    """Whether this handler can never handle this event."""
    return zlib.crc32(f"{handler} {event_id}".encode()) % PERMANENT_IN == 0


def stumble(handler: str, event: Event) -> None:
    if is_hopeless(handler, event.event_id):
        raise PermanentError(f"no {handler} for order {event.event_id}")
    if random.random() < TEMPORARY:
        raise TemporaryError(f"{handler} is busy with order {event.event_id}")


def execute(sql: str, *values: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)


@handles("storm.*", name="storm-ledger", retry=PATIENT)
def write_down(event: Event) -> None:
    """The plain case: a row an event. It writes before it fails, so that a failure has something to undo."""
    execute("INSERT INTO storm_ledger (event_id) VALUES (%s)", event.event_id)
    stumble("storm-ledger", event)


@handles("storm.*", name="storm-sums", retry=PATIENT)
def add_up(event: Event) -> None:
    """Rows that all workers change: they wait for each other, and lock each other out."""
    key = zlib.crc32(event.event_id.encode()) % 50
    stumble("storm-sums", event)
    execute(
        "UPDATE storm_sums SET events = events + 1, total = total + %s WHERE key = %s", event.value["n"], key
    )
    execute("INSERT INTO storm_added (event_id) VALUES (%s)", event.event_id)


@handles("storm.*", name="storm-order", retry=PATIENT, order_by="correlation_id")
def follow(event: Event) -> None:
    """One at a time and in order for each correlation id."""
    stumble("storm-order", event)
    execute(
        "INSERT INTO storm_order (event_id, key, n) VALUES (%s, %s, %s)",
        event.event_id,
        event.correlation_id,
        event.value["n"],
    )


@handles("storm.*", name="storm-single", retry=PATIENT, concurrency=1)
def one_at_a_time(event: Event) -> None:
    """Never in two workers at once: it reads a number and writes the next one, without locking."""
    stumble("storm-single", event)
    with connection.cursor() as cursor:
        cursor.execute("SELECT n FROM storm_last")
        n = cursor.fetchone()[0] + 1
        cursor.execute("INSERT INTO storm_single (event_id, n) VALUES (%s, %s)", [event.event_id, n])
        cursor.execute("UPDATE storm_last SET n = %s", [n])


@handles("storm.*", name="storm-few", retry=PATIENT, batch=5)
def a_few_at_a_time(event: Event) -> None:
    """Few deliveries a transaction."""
    execute("INSERT INTO storm_few (event_id) VALUES (%s)", event.event_id)
    stumble("storm-few", event)


NAMES = ("storm-ledger", "storm-sums", "storm-order", "storm-single", "storm-few")
TABLES = {
    "storm-ledger": "storm_ledger",
    "storm-sums": "storm_added",
    "storm-order": "storm_order",
    "storm-single": "storm_single",
    "storm-few": "storm_few",
}
SCHEMA = """
    CREATE TABLE storm_ledger (id bigserial, event_id text);
    CREATE TABLE storm_added (id bigserial, event_id text);
    CREATE TABLE storm_sums (key int PRIMARY KEY, events bigint DEFAULT 0, total bigint DEFAULT 0);
    INSERT INTO storm_sums (key) SELECT generate_series(0, 49);
    CREATE TABLE storm_order (id bigserial, event_id text, key text, n int);
    CREATE TABLE storm_single (id bigserial, event_id text, n bigint);
    CREATE TABLE storm_last (n bigint);
    INSERT INTO storm_last VALUES (0);
    CREATE TABLE storm_few (id bigserial, event_id text);
"""
TEARDOWN = """
    DROP TABLE IF EXISTS storm_ledger, storm_added, storm_sums, storm_order, storm_single, storm_last, storm_few;
"""
