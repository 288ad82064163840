"""What the servers under test have in common: a folder, ports, an address, a start and an end."""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Generic, Protocol, Self, TypeVar

from tests.services.ports import accepts, free_port, is_free
from tests.services.processes import Processes, inherited_environment

READY_TIMEOUT_S = 120.0
# The process that is the server; what it needs beside it has a name of its own.
MAIN = "server"


class Unavailable(Exception):
    """This machine lacks what the server needs. The text says what, and how to get it."""


class ServerFailed(Exception):
    """The server did not start; the text ends with its log."""


class Address(Protocol):
    """Where a server answers, as others are told of it."""

    @classmethod
    def from_environment(cls) -> Self | None:
        """The one named in the environment, if any."""

    def as_environment(self) -> dict[str, str]:
        """The variables that name this one."""


A = TypeVar("A", bound=Address)


class Server(ABC, Generic[A]):
    """A server in `folder`, alone there. Whoever opens the same folder later finds it, running or not."""

    # How people call it.
    name: ClassVar[str]
    # What it listens on, all on 127.0.0.1.
    listeners: ClassVar[tuple[str, ...]]

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.log = self.folder / "server.log"
        self.processes = Processes(self.folder)

    @property
    def ports(self) -> dict[str, int]:
        """Listener → port. The same ones after a restart, unless somebody took one meanwhile."""
        ports: dict[str, int] = json.loads((self.folder / "ports.json").read_text())
        return ports

    @property
    @abstractmethod
    def address(self) -> A:
        """Where it answers once it was started."""

    @staticmethod
    @abstractmethod
    def named_in_environment() -> A | None:
        """The address of a server that is to be used instead of one of our own."""

    @staticmethod
    @abstractmethod
    def require() -> None:
        """Fetch what it needs and may fetch. Raises Unavailable for what this machine lacks."""

    def start(self) -> Self:
        """Start it, or take the one that runs in this folder; returns when it serves.

        Raises Unavailable or ServerFailed.
        """
        if not self.is_running():
            self.require()
            self.kill()  # what it left, had it died halfway
            self.folder.mkdir(parents=True, exist_ok=True)
            self._choose_ports()
            self._launch()
        return self.wait_until_ready()

    def wait_until_ready(self) -> Self:
        """Return when it serves, whoever started it. Raises ServerFailed."""
        deadline = time.monotonic() + READY_TIMEOUT_S
        while not (all(accepts(port) for port in self.ports.values()) and self._serves()):
            if not self.is_running():
                raise ServerFailed(f"{self.name} ended by itself.\n{self._log_tail()}")
            if time.monotonic() > deadline:
                raise ServerFailed(
                    f"{self.name} does not answer after {READY_TIMEOUT_S:.0f} s.\n{self._log_tail()}"
                )
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """Ask it to end and wait until it has, whoever started it; its data stays. Killed if it does not hear."""
        self.processes.stop()

    def kill(self) -> None:
        """End it with SIGKILL, in the middle of whatever it does."""
        self.processes.kill()

    def restart(self) -> Self:
        """Stop, then start with the same data and, if nobody took them, the same ports."""
        self.stop()
        return self.start()

    def is_running(self) -> bool:
        """Whether it lives, whoever started it."""
        return MAIN in self.processes.alive()

    @abstractmethod
    def _launch(self) -> None:
        """Write its configuration and start its processes with `_run`."""

    @abstractmethod
    def _serves(self) -> bool:
        """Whether it answers its own protocol, once every port accepts connections."""

    def _run(self, command: Sequence[str | Path], *, name: str = MAIN, **environment: str) -> None:
        self.processes.run(name, command, self.log, {**inherited_environment(), **environment})

    def _choose_ports(self) -> None:
        known = self.ports if (self.folder / "ports.json").exists() else {}
        ports: dict[str, int] = {}
        for listener in self.listeners:
            port = known.get(listener)
            while port is None or port in ports.values() or not is_free(port):
                port = free_port()
            ports[listener] = port
        (self.folder / "ports.json").write_text(json.dumps(ports))

    def _log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]
