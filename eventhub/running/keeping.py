"""Keeps the embedded servers running: one that ended is started again, whatever ended it.

The programs find their way back by themselves once the server answers at its old address.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from eventhub.running.postgres import PostgresFailed
from eventhub.running.redis import RedisFailed
from eventhub.running.supervisor import Show, pause_before_restart

LOOK_EVERY_S = 0.5


class EmbeddedServer(Protocol):
    """PostgreSQL or Redis, as a child of `up`."""

    def is_running(self) -> bool:
        """Whether its process lives."""

    def start_again(self) -> None:
        """Start it at the address it had. Raises PostgresFailed, RedisFailed."""


class Keeper:
    """Looks after each server on a thread of its own: a recovery takes its time."""

    def __init__(self, servers: Mapping[str, EmbeddedServer], show: Show) -> None:
        self._show = show
        self._stop = threading.Event()
        self._threads: Sequence[threading.Thread] = [
            threading.Thread(target=self._keep, args=(name, server), name=f"keep {name}", daemon=True)
            for name, server in servers.items()
        ]

    def start(self) -> None:
        """Begin to look."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Start nothing any more; returns when no start is under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _keep(self, name: str, server: EmbeddedServer) -> None:
        failures = 0
        while not self._stop.wait(pause_before_restart(failures) if failures else LOOK_EVERY_S):
            if server.is_running():
                failures = 0
                continue
            if not failures:
                self._show(name, "it ended; starting it again")
            if self._start(server, lambda words: self._show(name, words)):
                failures = 0
                self._show(name, "it runs again, with its data")
            else:
                failures += 1

    def _start(self, server: EmbeddedServer, tell: Callable[[str], None]) -> bool:
        try:
            server.start_again()
        except (PostgresFailed, RedisFailed, OSError) as error:
            tell(f"{error}; trying again")
            return False
        return True
