"""Work that waits for others, such as brokers that may be away or hang, beside what a worker has to do.

A worker has few processes. A task that waits in one of them for a broker that is down holds up handlers, sweeps and
alerts, which have nothing to do with that broker. So such a task only begins the work, on a thread of the process.
"""

import logging
import threading
from collections.abc import Callable

from django.db import Error, connection

log = logging.getLogger(__name__)

_begun: dict[str, threading.Thread] = {}
_lock = threading.Lock()


def aside(name: str, work: Callable[[], object]) -> threading.Thread | None:
    """Begin `work`, and return its thread; None when this process is still at it.

    It is not done when another process of the installation is at it. What it raises is logged.
    """
    with _lock:
        if name in _begun and _begun[name].is_alive():
            return None
        thread = threading.Thread(target=_alone, args=(name, work), name=f"aside {name}", daemon=True)
        _begun[name] = thread
        thread.start()
    return thread


def _alone(name: str, work: Callable[[], object]) -> None:
    try:
        with connection.cursor() as cursor:  # held until the connection is closed
            cursor.execute("SELECT pg_try_advisory_lock(hashtext('aside'), hashtext(%s))", [name])
            is_ours = bool(cursor.fetchone()[0])
        if is_ours:
            work()
    except Error as error:
        log.warning("%s waits for the database: %s", name, error)
    except Exception:
        log.exception("%s failed", name)
    finally:
        connection.close()
