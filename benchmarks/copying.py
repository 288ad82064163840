"""PostgreSQL's own speed: rows laid out beforehand, written by COPY and nothing else."""

import time

COPY_BATCH = 5_000


def rows(messages: list[bytes]) -> list[bytes]:
    """The COPY text of the messages' rows, in batches."""
    from eventhub.events import store
    from eventhub.events.decoding import decode
    from eventhub.events.message import Message

    batches = []
    for start in range(0, len(messages), COPY_BATCH):
        part = messages[start : start + COPY_BATCH]
        origins = [
            Message(body, "bench.orders", f"{start + n}", f"bench:{start + n}") for n, body in enumerate(part)
        ]
        prepared = store.prepare([decode(origin) for origin in origins], origins, 1)
        batches.append(prepared.text)
    return batches


def rate(batches: list[bytes], count: int, table: str) -> float:
    """Rows per second of COPY alone into a new `table` with the event store's columns, defaults and indexes."""
    from django.db import connection

    from eventhub.events import store

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
        cursor.execute(f"CREATE TABLE {table} (LIKE events_event INCLUDING ALL)")
        started = time.perf_counter()
        for text in batches:
            with cursor.copy(store.COPY.format(table=table, columns=store.COLUMNS)) as copy:
                copy.write(text)
        seconds = time.perf_counter() - started
        cursor.execute(f"DROP TABLE {table}")
    return count / seconds
