"""A limit on how long a handler may take.

In the main thread, which is where the tasks of Celery's prefork pool run, a timer's signal interrupts whatever the
handler does, a query on the server included. In other threads nothing can interrupt Python; there only each single
statement is limited (PostgreSQL's ``statement_timeout``).
"""

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from django.db import OperationalError, connection
from psycopg import errors

from eventhub.handlers.errors import TimedOut


class _TimeIsUp(KeyboardInterrupt):
    """Raised by the timer. A KeyboardInterrupt, because on that psycopg cancels the query that it waits for; and so
    that a handler's ``except Exception`` does not swallow it."""


def can_interrupt() -> bool:
    """Whether `limited` is able to interrupt Python here."""
    return threading.current_thread() is threading.main_thread()


def limit_statements(timeout_s: float) -> None:
    """For the current transaction, where Python cannot be interrupted: no statement takes longer."""
    if not can_interrupt():
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true)", [f"{max(1, round(timeout_s * 1000))}ms"]
            )


def free_statements() -> None:
    """Undo `limit_statements` for the rest of the transaction."""
    if not can_interrupt():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout TO DEFAULT")


@contextmanager
def limited(timeout_s: float) -> Generator[None]:
    """Raises TimedOut when what is inside takes longer."""
    if not can_interrupt():
        try:
            yield
        except OperationalError as error:
            if isinstance(error.__cause__, errors.QueryCanceled):
                raise TimedOut(_words(timeout_s)) from error
            raise
        return
    before = signal.signal(signal.SIGALRM, _ring)
    signal.setitimer(signal.ITIMER_REAL, timeout_s)
    try:
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    except _TimeIsUp as error:
        raise TimedOut(_words(timeout_s)) from error
    finally:
        signal.signal(signal.SIGALRM, before)


def _ring(number: int, frame: FrameType | None) -> None:
    raise _TimeIsUp


def _words(timeout_s: float) -> str:
    return f"The handler took longer than its timeout of {timeout_s:g} s."
