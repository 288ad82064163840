"""How fast events are appended to streams, beside psycopg's own INSERT of the same rows, and beside another library."""

import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime

from benchmarks import other_library, stage
from benchmarks.record import record

SINGLE = 3_000
TURNS = 10
STREAMS = 50
BATCHES = 400
BATCH = 100

INSERT = """
    INSERT INTO events_event (event_id, event_type, event_version, occurred_at, source, correlation_id, causation_id,
                              stream, stream_version, data, metadata)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""


def run() -> bool:
    """One event an append, each in a transaction of its own; the goal is 0.6 of a bare INSERT of the same row.

    Both are timed in turns, a stretch each, so that a disk that is slow for a while is slow for both.
    """
    with stage.services():
        _today()
        _settle()
        rate, reference = _in_turns(_append_singly, _insert_rows)
    return record(
        "stream-append",
        value=rate,
        unit="events/s",
        reference="psycopg INSERT of the same row",
        reference_value=reference,
        goal=0.6,
        better="higher",
    )


def run_beside_eventsourcing() -> bool:
    """A hundred events an append; the goal is three times the `eventsourcing` package on the same PostgreSQL."""
    with stage.services():
        _today()
        other_library.use_database()
        before = _rate(BATCHES * BATCH // 4, other_library.append_batches)
        _settle()
        rate = _rate(BATCHES * BATCH, _append_batches)
        _settle()
        after = _rate(BATCHES * BATCH // 4, other_library.append_batches)
    print(f"eventsourcing before {before:,.0f}/s, after {after:,.0f}/s", flush=True)
    return record(
        "eventsourcing-append",
        value=rate,
        unit="events/s",
        reference="the eventsourcing package",
        reference_value=(before + after) / 2,
        goal=3.0,
        better="higher",
    )


def _in_turns(ours: Callable[[int], None], theirs: Callable[[int], None]) -> tuple[float, float]:
    """The rates of both, over all stretches."""
    seconds = [0.0, 0.0]
    for turn in range(2 * TURNS):
        started = time.perf_counter()
        (ours, theirs)[turn % 2](SINGLE // TURNS)
        seconds[turn % 2] += time.perf_counter() - started
    return SINGLE / seconds[0], SINGLE / seconds[1]


def _rate(count: int, work: Callable[[int], None]) -> float:
    started = time.perf_counter()
    work(count)
    return count / (time.perf_counter() - started)


def _append_singly(count: int) -> None:
    from eventhub.sourcing.appending import New, append

    turn = uuid.uuid4().hex[:6]
    versions = [0] * STREAMS
    for n in range(count):
        at = n % STREAMS
        append(
            f"bench-{turn}.{at}",
            New("account.moved", {"amount": n, "note": "a transfer"}, event_version="1"),
            expected=versions[at],
            source="bench",
            correlation_id=f"c-{n}",
        )
        versions[at] += 1


def _append_batches(count: int) -> None:
    from eventhub.sourcing.appending import New, append

    versions = [0] * STREAMS
    for n in range(count // BATCH):
        at = n % STREAMS
        events = [New("account.moved", {"amount": n + i}) for i in range(BATCH)]
        append(f"batch-{at}", events, expected=versions[at])
        versions[at] += BATCH


def _insert_rows(count: int) -> None:
    import psycopg
    from django.db import connection
    from psycopg.types.json import Jsonb

    params = connection.get_connection_params()
    own = {name: value for name, value in params.items() if name not in {"cursor_factory", "context"}}
    with psycopg.connect(**own, autocommit=True) as bare:
        for n in range(count):
            data = Jsonb({"amount": n, "note": "a transfer"})
            now = datetime.now(UTC)
            row = (
                str(uuid.uuid4()),
                "account.moved",
                "1",
                now,
                "bench",
                f"c-{n}",
                None,
                f"bare-{n % STREAMS}",
                n,
            )
            bare.execute(INSERT, (*row, data, Jsonb({})))


def _today() -> None:
    from eventhub.events.tasks import prepare_partitions

    prepare_partitions()


def _settle() -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CHECKPOINT")
