"""How fast a projection follows the log: alone against a number, and beside another library."""

import time
from typing import TYPE_CHECKING, Any

import msgspec

from benchmarks import other_library, stage
from benchmarks.record import record

if TYPE_CHECKING:  # at run time only after Django is set up
    from eventhub.sourcing.projecting.declaring import Declared

EVENTS = 200_000
OTHER_EVENTS = 10_000
STREAMS = 1_000
BATCH = 1_000
GOAL_PER_S = 20_000


class Account(msgspec.Struct):
    """What the projection keeps of a stream."""

    account: str
    version: int = 0
    total: int = 0


class Balances:
    """One row an account."""

    Row = Account

    def key(self, event: Any) -> str | None:
        """The stream's name."""
        name: str | None = event.stream
        return name

    def fold(self, row: Account | None, event: Any) -> Account:
        """Add it up."""
        row = row or Account(event.stream)
        row.version = event.stream_version
        row.total += event.value["amount"]
        return row


def run() -> bool:
    """200,000 events of 1,000 streams into a table by one worker; the goal is 20,000 events a second."""
    with stage.services():
        _fill(EVENTS)
        rate = _follow(_declare(), EVENTS)
    return record(
        "projection",
        value=rate,
        unit="events/s",
        reference="events a second that must be reached",
        reference_value=GOAL_PER_S,
        goal=1.0,
        better="higher",
    )


def run_beside_eventsourcing() -> bool:
    """The same kind of table by the `eventsourcing` package; the goal is three times its rate."""
    with stage.services():
        other_library.use_database()
        other_library.append_batches(OTHER_EVENTS)
        other = other_library.follow()
        _fill(EVENTS)
        rate = _follow(_declare(), EVENTS)
    return record(
        "eventsourcing-projection",
        value=rate,
        unit="events/s",
        reference="the eventsourcing package",
        reference_value=other,
        goal=3.0,
        better="higher",
    )


def _declare() -> "Declared":
    from eventhub.sourcing.projecting import declaring

    declaring.projection("bench", "account.*")(Balances)
    return declaring.declared()["bench"]


def _fill(count: int) -> None:
    from django.db import connection

    from eventhub.events.tasks import prepare_partitions
    from eventhub.sourcing.appending import New, append

    prepare_partitions()
    for n in range(count // BATCH):
        append(f"account-{n % STREAMS}", [New("account.moved", {"amount": n + i}) for i in range(BATCH)])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _follow(declared: "Declared", count: int) -> float:
    from django.db import connection

    from eventhub.sourcing.projecting import rebuilding

    rebuilding.ensure(declared)
    started = time.perf_counter()
    done = rebuilding.follow(declared, for_s=300)
    seconds = time.perf_counter() - started
    if done != count:
        raise AssertionError(f"{done:,} events were taken in instead of {count:,}")
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT sum(version), count(*) FROM {declared.table}")
        row = cursor.fetchone()
    if row is None or row[0] != count:
        raise AssertionError(f"the table holds {row} instead of {count:,} events")
    return count / seconds
