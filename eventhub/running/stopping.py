"""A process that is asked to end (SIGTERM) finishes what it has in hand, and is gone ten seconds later at the latest.

Loops look at `is_asked` between two pieces of work. What does not finish in time is cut off, as by ``kill -9``: its
transaction is undone, its messages and deliveries come again, and nothing stored is lost.
"""

import logging
import mmap
import os
import threading
from typing import Any

import psutil
from celery.signals import celeryd_init, worker_shutting_down

log = logging.getLogger(__name__)

# So much is left of the ten seconds for databases and supervisors, which end after the programs.
WITHIN_S = 7.0
LOOK_EVERY_S = 0.2
# Shared with the processes that a pool forks from this one, whichever of them looks.
_asked = mmap.mmap(-1, 1)


def is_asked() -> bool:
    """Whether this process, or the worker that it belongs to, was asked to end: begin nothing new."""
    return _asked[0] != 0


def ask() -> None:
    """Note that it was. Safe in a signal handler."""
    _asked[0] = 1


def watch(within_s: float = WITHIN_S) -> None:
    """From now on: once `ask` was called, the process ends within so many seconds, whatever it does."""
    threading.Thread(target=_watch, args=(within_s,), name="end in time", daemon=True).start()


def end_in(seconds: float) -> None:
    """End the process so many seconds from now, unless it has ended by then."""
    threading.Thread(target=_end_after, args=(seconds,), name="end in time", daemon=True).start()


def connect() -> None:
    """Have every Celery worker of this process end in time."""
    celeryd_init.connect(_begin, weak=False, dispatch_uid="eventhub.stopping")
    worker_shutting_down.connect(_shut_down, weak=False, dispatch_uid="eventhub.stopping")


def _begin(**kwargs: Any) -> None:
    watch()


def _shut_down(**kwargs: Any) -> None:
    ask()


def _watch(within_s: float) -> None:
    never = threading.Event()
    while not is_asked():
        never.wait(LOOK_EVERY_S)
    _end_after(within_s)


def _end_after(seconds: float) -> None:
    threading.Event().wait(seconds)
    log.warning(
        "What was in hand did not end within %g s and is cut off: it is undone, and comes again.", seconds
    )
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(1)
