"""What the broker has confirmed and the database does not say yet: kept by a worker, and written as soon as can be."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

from dlq.jobs import batches

log = logging.getLogger(__name__)
T = TypeVar("T")
# How long a database that is away is waited for.
PATIENCE_S = 60.0


class Marks:
    """Retries that are out, on their way to being marked as published, and their letters as sent."""

    def __init__(self, job_id: int) -> None:
        self._job_id = job_id
        # Confirmed by the broker, and not marked as published yet.
        self.confirmed: list[int] = []
        # Marked as published, and their letters not yet as sent.
        self._letters_due: list[int] = []

    def add(self, retry_ids: list[int]) -> None:
        """The broker has confirmed these."""
        self.confirmed += retry_ids

    def are_written(self) -> None:
        """The confirmed ones are marked as published; their letters are still to be told."""
        self._letters_due += self.confirmed
        self.confirmed = []

    def write_letters(self) -> None:
        """Let the letters say that they were sent."""
        if self._letters_due:
            patiently(self._job_id, lambda: batches.letters_sent(self._letters_due))
            self._letters_due = []

    def write(self) -> None:
        """Mark everything. Needs no lease: it is the truth, whoever drives the job now."""
        if self.confirmed:
            patiently(self._job_id, self._write_confirmed)
            self.are_written()
        self.write_letters()

    def _write_confirmed(self) -> None:
        with transaction.atomic():
            batches.advance(self.confirmed, {})


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
