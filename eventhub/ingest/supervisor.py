"""Runs a loop for every enabled Source of the installation, and tells the database how each one does."""

import logging
from datetime import UTC, datetime, timedelta
from threading import Event as Signal
from threading import Thread
from time import monotonic

from django.db import Error, close_old_connections, connection
from django.db.models import Count

from eventhub.brokers.adapter import is_polled
from eventhub.brokers.models import Source, SourceStatus, State
from eventhub.brokers.secrets import keeping
from eventhub.ingest.loop import SourceLoop
from eventhub.ingest.quota import limits_of

log = logging.getLogger(__name__)

LOOK_EVERY_S = 0.5
HEARTBEAT_EVERY_S = 2.0
LIVES_FOR = timedelta(seconds=10)
# Of the ten seconds after which the worker is gone.
STOP_TIMEOUT_S = 6.0
STATUS_FIELDS = [
    "state",
    "heartbeat_at",
    "started_at",
    "last_batch_at",
    "last_batch_size",
    "messages_total",
    "restarts",
    "last_error",
    "last_error_at",
    "slowed_at",
]


class Supervisor:
    """Starts, pauses, resumes and stops source loops as their rows say. One for each worker process."""

    def __init__(self, worker: str) -> None:
        self.worker = worker
        self._loops: dict[int, SourceLoop] = {}
        # How many workers read each source, this one among them: they share its limits.
        self._readers: dict[int, int] = {}
        self._stop = Signal()
        self._thread = Thread(target=self._run, name="ingest supervisor", daemon=True)

    def start(self) -> None:
        """Start supervising in a thread of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop all loops; each finishes the batch it has in work. Returns when they have ended."""
        self._stop.set()
        self._thread.join(STOP_TIMEOUT_S + 5)

    def _run(self) -> None:
        heartbeat_at = 0.0
        while not self._stop.wait(LOOK_EVERY_S if heartbeat_at else 0):
            try:
                close_old_connections()
                self._follow_rows()
                if monotonic() >= heartbeat_at:
                    self._write_statuses()
                    heartbeat_at = monotonic() + HEARTBEAT_EVERY_S
            except Error as error:
                # The loops go on by themselves and report when the database is back.
                log.warning("the ingest supervisor cannot reach the database: %s", error)
                connection.close()
                self._stop.wait(1)
        self._end()

    def _follow_rows(self) -> None:
        wanted = {source.pk: source for source in Source.objects.filter(enabled=True) if is_polled(source)}
        for pk, loop in list(self._loops.items()):
            source = wanted.get(pk)
            if source is None or self._is_reconfigured(loop.source, source):
                loop.stop()
                if loop.join(STOP_TIMEOUT_S):
                    log.info("source %s stopped", loop.source.name)
                del self._loops[pk]
                if source is None:
                    SourceStatus.objects.filter(source_id=pk, worker=self.worker).update(state=State.STOPPED)
            else:
                loop.pause(source.paused)
                loop.limit(limits_of(source, self._readers.get(pk, 1)))
        for pk, source in wanted.items():
            if pk not in self._loops:
                log.info("source %s starts (%s)", source.name, source.get_kind_display())
                self._loops[pk] = SourceLoop(source, self.worker)
                self._loops[pk].limit(limits_of(source, self._readers.get(pk, 1)))
                self._loops[pk].start()

    @staticmethod
    def _is_reconfigured(before: Source, now: Source) -> bool:
        def of(source: Source) -> tuple[object, ...]:
            return (source.name, source.kind, source.role, source.config, source.mapping)

        return of(before) != of(now) or not keeping.same_secrets(before, now)

    def _write_statuses(self) -> None:
        now = datetime.now(UTC)
        SourceStatus.objects.bulk_create(
            [
                SourceStatus(
                    source=loop.source,
                    worker=self.worker,
                    state=loop.state,
                    heartbeat_at=now,
                    started_at=loop.started_at,
                    last_batch_at=loop.last_batch_at,
                    last_batch_size=loop.last_batch_size,
                    messages_total=loop.messages_total,
                    restarts=loop.restarts,
                    last_error=loop.last_error,
                    last_error_at=loop.last_error_at,
                    slowed_at=loop.slowed_at,
                )
                for loop in self._loops.values()
            ],
            update_conflicts=True,
            unique_fields=["source", "worker"],
            update_fields=STATUS_FIELDS,
        )
        living = SourceStatus.objects.filter(heartbeat_at__gt=now - LIVES_FOR).exclude(state=State.STOPPED)
        self._readers = dict(living.values_list("source_id").annotate(Count("pk")))

    def _end(self) -> None:
        for loop in self._loops.values():
            loop.stop()
        deadline = monotonic() + STOP_TIMEOUT_S
        for loop in self._loops.values():
            if not loop.join(max(0.1, deadline - monotonic())):
                log.warning(
                    "source %s did not stop in time; its last batch is delivered again", loop.source.name
                )
        try:
            self._write_statuses()
        except Error as error:
            log.warning("the last state of the sources could not be written: %s", error)
        connection.close()
