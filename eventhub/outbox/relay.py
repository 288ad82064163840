"""The relay: carries the outbox to a broker, confirmed, in the order of each key.

Any number of relays may run. A relay takes some of the slices that have something to send (rows locked with SKIP
LOCKED, so nobody waits), publishes what is in them in the order of the ids, and deletes or marks it when the broker
has confirmed it, in the transaction that holds the lock. A relay that dies lets go of its slices; what it had in
flight is sent once more.
"""

import logging
import random
from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import Any

import msgspec
import psycopg

from eventhub.brokers.adapter import BrokerError, Refused
from eventhub.events.message import OutgoingMessage
from eventhub.outbox.settling import MAX_ATTEMPTS, Fate, Row, Settled, settle
from eventhub.outbox.targets import Publisher
from eventhub.telemetry.operations import operation

log = logging.getLogger(__name__)

BATCH = 5_000
# So several relays share the work, and one alone has enough to do with each batch.
SLICES_AT_ONCE = 8
LOOK_EVERY_S = 1.0
LONGEST_PAUSE_S = 30.0
NUMBER_HEADER = "outbox-id"
DELETE = "DELETE FROM outbox_outboxmessage WHERE id = ANY(%s)"
MARK = "UPDATE outbox_outboxmessage SET published_at = clock_timestamp(), error = '' WHERE id = ANY(%s)"


class Relay:
    """One relay with a database connection of its own."""

    def __init__(
        self,
        connection_params: dict[str, Any],
        connect: Callable[[], Publisher],
        *,
        batch: int = BATCH,
        max_attempts: int = MAX_ATTEMPTS,
        keep: bool = False,
    ) -> None:
        """`connect` opens the way to the broker; it is called again after the broker was away.

        With `keep` what was published stays, marked, until it is pruned; that costs about as much as publishing it.
        """
        self._params = connection_params
        self._connect = connect
        self._batch = batch
        self._max_attempts = max_attempts
        self._keep = keep
        self._database: psycopg.Connection[Any] | None = None
        self._publisher: Publisher | None = None
        self.sent = 0

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Relay until told to stop. A broker or a database that is away is waited for."""
        pause_s = 0.0
        while not should_stop():
            try:
                if self.turn() == 0:
                    self._wait(LOOK_EVERY_S)
                pause_s = 0.0
            except (BrokerError, psycopg.OperationalError) as error:
                pause_s = min(LONGEST_PAUSE_S, max(0.5, pause_s * 2))
                log.warning("The relay tries again in %.1f s: %s", pause_s, error)
                self.close()
                _sleep(pause_s, should_stop)
        self.close()

    def turn(self) -> int:
        """Publish one batch; how many messages were dealt with. Raises BrokerError and psycopg.Error.

        Then nothing of the batch is marked, and it is sent once more.
        """
        database = self._ensure_database()
        with database.transaction():
            slices = self._take_slices(database)
            rows = self._waiting(database, slices) if slices else []
            if not rows:
                return 0
            settled = settle(rows, self._publish(rows), random.random(), self._max_attempts)  # noqa: S311 - jitter
            self._mark(database, settled)
        self.sent += len(settled.sent)
        return len(rows)

    def close(self) -> None:
        """Let go of both connections. Never raises."""
        if self._publisher is not None:
            self._publisher.close()
        if self._database is not None:
            self._database.close()
        self._publisher = self._database = None

    def _ensure_database(self) -> "psycopg.Connection[Any]":
        if self._database is None:
            self._database = psycopg.connect(**self._params, autocommit=True)
            self._database.execute("LISTEN outbox")
        return self._database

    def _wait(self, timeout_s: float) -> None:
        """Until something was written, or the time is up."""
        for _ in self._ensure_database().notifies(timeout=timeout_s, stop_after=1):
            pass

    def _take_slices(self, database: "psycopg.Connection[Any]") -> list[int]:
        rows = database.execute(  # outbox_slice
            "SELECT number FROM outbox_relayslice AS one WHERE EXISTS (SELECT FROM outbox_outboxmessage AS message"
            " WHERE message.slice = one.number AND published_at IS NULL AND dead_at IS NULL"
            " AND (due_at IS NULL OR due_at <= now()))"
            " ORDER BY served_at LIMIT %s FOR UPDATE SKIP LOCKED",
            [SLICES_AT_ONCE],
        ).fetchall()
        numbers = [row[0] for row in rows]
        if numbers:
            database.execute(
                "UPDATE outbox_relayslice SET served_at = clock_timestamp() WHERE number = ANY(%s)", [numbers]
            )
        return numbers

    def _waiting(self, database: "psycopg.Connection[Any]", slices: list[int]) -> list[Row]:
        """What may go now, oldest first: nothing of a key whose older message waits for its next attempt."""
        held = database.execute(  # outbox_refused
            "SELECT DISTINCT topic || E'\\n' || key FROM outbox_outboxmessage WHERE published_at IS NULL"
            " AND dead_at IS NULL AND attempts > 0 AND due_at > now() AND key IS NOT NULL AND slice = ANY(%s)",
            [slices],
        ).fetchall()
        rows = database.execute(  # outbox_slice
            "SELECT id, topic, key, headers::text, body, attempts FROM outbox_outboxmessage"
            " WHERE slice = ANY(%s) AND published_at IS NULL AND dead_at IS NULL"
            " AND (due_at IS NULL OR due_at <= now())"
            " AND (key IS NULL OR topic || E'\\n' || key <> ALL(%s)) ORDER BY id LIMIT %s",
            [slices, [row[0] for row in held], self._batch],
        ).fetchall()
        return [Row(*row) for row in rows]

    def _publish(self, rows: Sequence[Row]) -> dict[int, str]:
        """Send them; why the broker refused which, by index. Raises BrokerError."""
        if self._publisher is None:
            self._publisher = self._connect()
        with operation("outbox.relay", items=len(rows)) as told:
            try:
                self._publisher.publish([_message(row) for row in rows])
            except Refused as refused:
                told.fail("Refused")
                return refused.reasons
        return {}

    def _mark(self, database: "psycopg.Connection[Any]", settled: Settled) -> None:
        database.execute(MARK if self._keep else DELETE, [settled.sent])
        for one in settled.refused:
            is_dead = one.fate is Fate.DEAD
            if is_dead:
                log.warning("outbox message %d is given up: %s", one.number, one.reason)
            database.execute(
                "UPDATE outbox_outboxmessage SET attempts = attempts + 1, error = %s,"
                " due_at = now() + make_interval(secs => %s), dead_at = CASE WHEN %s THEN now() END WHERE id = %s",
                [one.reason[:2_000], one.delay_s, is_dead, one.number],
            )


def _message(row: Row) -> OutgoingMessage:
    given = msgspec.json.decode(row.headers)
    named = tuple((name, str(value)) for name, value in given.items()) if isinstance(given, dict) else ()
    return OutgoingMessage(row.body.encode(), row.topic, (*named, (NUMBER_HEADER, str(row.number))), row.key)


def _sleep(seconds: float, should_stop: Callable[[], bool]) -> None:
    until = monotonic() + seconds
    while monotonic() < until and not should_stop():
        sleep(0.1)
