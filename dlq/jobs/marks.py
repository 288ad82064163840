"""What the broker has confirmed and the database does not say yet: kept by a worker, and written as soon as can be."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from types import TracebackType
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, connections
from django.utils import timezone

from dlq.jobs import batches
from dlq.jobs.batches import Posted

log = logging.getLogger(__name__)
T = TypeVar("T")
# How long a database that is away is waited for.
PATIENCE_S = 60.0


class Marks:
    """Retries that are out, on their way to being marked as published, and their letters as sent.

    They can be written aside, in a thread of their own, while the next batch is read. Writing needs no lease: it is the
    truth, whoever drives the job now.
    """

    def __init__(self, job_id: int) -> None:
        self._job_id = job_id
        self._posted: list[Posted] = []
        self._begun_at = timezone.now()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="marks")
        self._aside: tuple[list[Posted], Future[None]] | None = None

    def __enter__(self) -> "Marks":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.submit(connections.close_all).result()  # nobody else closes a thread's connections
        self._thread.shutdown()

    @property
    def retry_ids(self) -> list[int]:
        """What is not written yet; `wait` first."""
        return [one.retry_id for one in self._posted]

    def add(self, posted: Sequence[Posted], begun_at: datetime) -> None:
        """The broker has confirmed these, which were begun then."""
        self._posted += posted
        self._begun_at = begun_at

    def write(self) -> None:
        """Mark everything, now."""
        self.wait()
        if self._posted:
            self._write(self._posted, self._begun_at)
            self._posted = []

    def write_aside(self) -> None:
        """Mark everything in the meantime, until `wait`."""
        self.wait()
        if self._posted:
            posted, self._posted = self._posted, []
            self._aside = posted, self._thread.submit(self._write, posted, self._begun_at)

    def wait(self) -> None:
        """Until what is written aside is written. What could not be is still to be written, and raises."""
        if self._aside is None:
            return
        (posted, written), self._aside = self._aside, None
        try:
            written.result()
        except BaseException:
            self._posted = [*posted, *self._posted]
            raise

    def _write(self, posted: Sequence[Posted], begun_at: datetime) -> None:
        patiently(self._job_id, lambda: batches.published(posted, begun_at))


def patiently(job_id: int, write: Callable[[], T]) -> T:
    """Do it, and wait for a database that restarts: the broker has confirmed what would else be forgotten."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return write()
        except (OperationalError, InterfaceError) as error:
            if time.monotonic() > deadline:
                raise
            log.warning("Retry job %d waits for the database: %s", job_id, error)
            connection.close()
            time.sleep(0.5)
