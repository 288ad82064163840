"""The loop of one Source: poll → prepare → write → acknowledge, with preparing and writing overlapped."""

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from threading import Event as Signal
from threading import Thread
from time import monotonic

from django.conf import settings
from django.db import close_old_connections, connection

from eventhub.brokers.adapter import (
    Adapter,
    BrokerError,
    HandsOver,
    StaysConnected,
    TellsProblems,
    open_adapter,
)
from eventhub.brokers.models import Source, State
from eventhub.brokers.secrets.scrubbing import scrub
from eventhub.events.message import Message
from eventhub.ingest.backoff import Backoff
from eventhub.ingest.pipeline import Batch, Pipeline, Written
from eventhub.ingest.quota import WAIT_AT_ONCE_S, Limits, Quota
from eventhub.telemetry import context

log = logging.getLogger(__name__)

POLL_TIMEOUT_S = 1.0
PAUSED_LOOK_EVERY_S = 0.5
STAY_CONNECTED_EVERY_S = 4.0
# About two batches of 5,000 events; the kernel gives less where its own limit is lower (net.core.wmem_max).
SEND_BUFFER_BYTES = 4 << 20


class SourceLoop:
    """Runs one Source in a thread of its own until told to stop; what fails is begun again with backoff.

    Whatever happens, a message is acknowledged only after its batch was committed; what was read and not written
    is delivered again by the broker.
    """

    def __init__(
        self, source: Source, consumer: str, on_committed: Callable[[int], None] | None = None
    ) -> None:
        self.source = source
        self.consumer = consumer
        # What the supervisor reports; written by this loop's thread, read by the supervisor's.
        self.state = State.STARTING
        self.started_at = datetime.now(UTC)
        self.messages_total = 0
        self.last_batch_at: datetime | None = None
        self.last_batch_size: int | None = None
        self.restarts = 0
        self.last_error = ""
        self.last_error_at: datetime | None = None
        self.slowed_at: datetime | None = None
        self._quota = Quota()
        self._on_committed = on_committed
        # The batch that is being written, and at most one that waits for its turn, with the promises of their commits.
        self._in_work: deque[tuple[Batch, Future[Written]]] = deque()
        self._problems: Sequence[str] = []
        self._stop = Signal()
        self._pause = Signal()
        if source.paused:
            self._pause.set()
        self._thread = Thread(target=self._run, name=f"ingest {source.name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def pause(self, paused: bool) -> None:
        """Stop or go on reading; what was read already is written."""
        if paused:
            self._pause.set()
        else:
            self._pause.clear()

    def limit(self, limits: Limits) -> None:
        """Read no faster than this from now on."""
        self._quota.limits = limits

    def stop(self) -> None:
        """Ask the loop to end after the batch in work."""
        self._stop.set()

    def join(self, timeout_s: float) -> bool:
        """Wait for the end; False when it has not come in time."""
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        backoff = Backoff()
        self._name_thread()
        with ThreadPoolExecutor(
            1, thread_name_prefix=f"write {self.source.name}", initializer=self._name_thread
        ) as writer:
            while not self._stop.is_set():
                if self._pause.is_set():
                    self.state = State.PAUSED
                    self._stop.wait(PAUSED_LOOK_EVERY_S)
                    continue
                try:
                    self._read(writer, backoff)
                except Exception as error:  # noqa: BLE001 - whatever it was, it is reported and the loop begins again
                    self._note_failure(error)
                    self._stop.wait(backoff.next_delay_s())
            writer.submit(lambda: connection.close()).result()  # of that thread
        connection.close()
        self.state = State.STOPPED

    def _name_thread(self) -> None:
        """What this thread logs bears the source's name."""
        context.bind(source=self.source.name, worker=self.consumer)

    def _read(self, writer: ThreadPoolExecutor, backoff: Backoff) -> None:
        """Until told to stop or to pause. A broker would take a connection that nobody serves for dead."""
        close_old_connections()
        writer.submit(close_old_connections).result()
        # Brokers count how often they hand a message out, and some give it up: none is taken that cannot be stored.
        writer.submit(_connect).result()
        pipeline = Pipeline(self.source)
        adapter = open_adapter(self.source, self.consumer)
        if isinstance(adapter, HandsOver):
            adapter.before_handover(lambda: self._finish(adapter))
        try:
            while not (self._stop.is_set() or self._pause.is_set()):
                # With a batch in work there is something to do besides waiting for messages.
                most = self._quota.most(settings.INGEST_BATCH_SIZE)
                messages = adapter.poll(most, 0 if self._in_work else POLL_TIMEOUT_S)
                self.state = State.RUNNING
                batch = pipeline.prepare(messages) if messages else None
                # So the database finds it as soon as it is done with the batch before, which is acknowledged meanwhile.
                if batch:
                    self._in_work.append((batch, writer.submit(pipeline.write, batch)))
                self._finish(adapter, but=1 if batch else 0)
                backoff.reset()
                self._slow_down(adapter, messages)
                if isinstance(adapter, TellsProblems):
                    self._note_problems(adapter.problems())
        finally:
            try:
                self._finish(adapter)
            finally:
                adapter.close()

    def _slow_down(self, adapter: Adapter, messages: Sequence[Message]) -> None:
        """Let the source's limits hold it up. What was read is stored and acknowledged first: it would wait in vain."""
        if not self._quota.limits.is_set:
            return
        self._quota.take(len(messages), sum(len(message.body) for message in messages))
        if not self._quota.wait_s():
            return
        self._finish(adapter)
        stay_at = monotonic() + STAY_CONNECTED_EVERY_S
        while (wait_s := self._quota.wait_s()) and not (self._stop.is_set() or self._pause.is_set()):
            self.slowed_at = datetime.now(UTC)
            self._stop.wait(min(WAIT_AT_ONCE_S, wait_s))
            if isinstance(adapter, StaysConnected) and monotonic() >= stay_at:
                adapter.stay_connected()
                stay_at = monotonic() + STAY_CONNECTED_EVERY_S

    def _finish(self, adapter: Adapter, but: int = 0) -> None:
        """Wait until the batches in work, `but` the newest, are committed; acknowledge each when it is."""
        while len(self._in_work) > but:
            self._acknowledge(adapter, self._committed(adapter))

    def _committed(self, adapter: Adapter) -> Batch:
        """The oldest batch in work as soon as it is committed. Raises what kept it from that."""
        # Whatever becomes of it, it is not finished twice: what fails is delivered again.
        batch, written = self._in_work.popleft()
        try:
            while isinstance(adapter, StaysConnected) and not wait([written], STAY_CONNECTED_EVERY_S).done:
                adapter.stay_connected()
            written.result()
        except BaseException:
            # For some brokers, to acknowledge what came later is to acknowledge this one.
            self._forget()
            raise
        return batch

    def _forget(self) -> None:
        """Acknowledge nothing of what is in work; it is delivered again."""
        for _, later in self._in_work:
            later.cancel()
        wait([later for _, later in self._in_work])
        self._in_work.clear()

    def _acknowledge(self, adapter: Adapter, batch: Batch) -> None:
        adapter.acknowledge(batch.messages)
        self.messages_total += len(batch.messages)
        self.last_batch_at = datetime.now(UTC)
        self.last_batch_size = len(batch.messages)
        if self._on_committed:
            self._on_committed(len(batch.messages))

    def _note_problems(self, problems: Sequence[str]) -> None:
        """What is wrong although the loop goes on."""
        if problems != self._problems:
            self._problems = problems
            for problem in problems:
                log.warning("source %s: %s", self.source.name, problem)
        if problems:
            self.last_error = scrub(" ".join(problems))[:2000]
            self.last_error_at = datetime.now(UTC)

    def _note_failure(self, error: Exception) -> None:
        self.state = State.FAILING
        self.restarts += 1
        self.last_error = scrub(f"{type(error).__name__}: {error}")[:2000]
        self.last_error_at = datetime.now(UTC)
        # A broker that is away says all there is to say; where anything else went wrong is of interest.
        is_bug = not isinstance(error, BrokerError)
        log.warning(
            "source %s failed and begins again: %s", self.source.name, self.last_error, exc_info=is_bug
        )


def _connect() -> None:
    """Connect this thread to the database, with room for a whole batch on the way.

    The server then never waits for the rest of a batch while Python decodes the next one. Over TCP the kernel sizes
    the buffer by itself, and better than a fixed size would.
    """
    connection.ensure_connection()
    with socket.socket(fileno=os.dup(connection.connection.fileno())) as sent_through:
        if sent_through.family == socket.AF_UNIX:
            sent_through.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
