"""Keeps a handful of programs running until it is told to stop.

A program that ends is started again, after a pause that grows while it keeps ending and is forgotten once it has
run for a while: one broken part never takes the others down, and says so on every attempt. Each program has a
process group of its own, so that Ctrl-C reaches the supervisor alone and stopping reaches a program's children.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from eventhub.running.programs import ROOT, Program

LOOK_EVERY_S = 0.2
# Programs end within `stopping.WITHIN_S`; the databases, which end after them, have the rest of ten seconds.
STOP_GRACE_S = 8.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
# A program that ran this long was well: its next end is a new story.
STEADY_AFTER_S = 60.0

# Shows one line of one program.
Show = Callable[[str, str], None]


def pause_before_restart(failures: int) -> float:
    """Seconds to wait after the `failures`-th end in a row (1, 2, 3, …)."""
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 10))


class _Running:
    """One program, its process and its luck so far."""

    def __init__(self, program: Program, environment: Mapping[str, str], show: Show) -> None:
        self.program = program
        self.environment = dict(environment) | program.environment
        self.show = show
        self.process: subprocess.Popen[bytes] | None = None
        self.reader: threading.Thread | None = None
        self.started_at = 0.0
        self.failures = 0
        self.start_at = 0.0

    def start(self) -> None:
        # Called on the main thread only: the kernel takes the death of the *thread* that forked for the parent's.
        child = [sys.executable, "-m", "eventhub.running.child", str(os.getpid())]
        self.process = subprocess.Popen(  # noqa: S603 - our own programs
            [*child, *self.program.command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.started_at = time.monotonic()
        self.reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        self.reader.start()

    def look(self) -> None:
        """Notice an end; start again when its time has come."""
        now = time.monotonic()
        if self.process is not None:
            code = self.process.poll()
            if code is None:
                return
            self.kill()  # what it may have left of its own children
            self.failures = 1 if now - self.started_at > STEADY_AFTER_S else self.failures + 1
            pause = pause_before_restart(self.failures)
            self.start_at = now + pause
            self.process = None
            self.show(self.program.name, f"{describe_end(code)}; starting it again in {pause:g} s")
        if now >= self.start_at:
            self.start()

    def signal(self, number: signal.Signals) -> None:
        if self.process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)

    def terminate(self) -> None:
        # Only the program itself: a Celery worker ends its children when they have finished their task.
        if self.process is not None and self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.terminate()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        with process.stdout as lines:
            for line in lines:
                if text := line.decode(errors="replace").rstrip():
                    self.show(self.program.name, text)


class Supervisor:
    """Runs programs until `stop`."""

    def __init__(self, programs: Sequence[Program], environment: Mapping[str, str], show: Show) -> None:
        self.show = show
        self._running = [_Running(program, environment, show) for program in programs]
        self._asked = 0
        self._wake = threading.Event()

    @property
    def stopping(self) -> bool:
        """Whether it was asked to stop."""
        return self._asked > 0

    def ask_to_stop(self) -> None:
        """Stop soon; asked a second time, at once. Safe in a signal handler."""
        self._asked += 1
        self._wake.set()

    def run(self, on_look: Callable[[], None] = lambda: None) -> None:
        """Start everything, keep it running until asked to stop, stop it. `on_look` is called now and then."""
        try:
            while not self.stopping:
                for running in self._running:
                    running.look()
                on_look()
                self._wake.wait(LOOK_EVERY_S)
        finally:
            self._stop_all()

    def _stop_all(self) -> None:
        asked_before = max(self._asked, 1)
        for running in self._running:
            running.terminate()
        deadline = time.monotonic() + STOP_GRACE_S
        while (late := self._alive()) and time.monotonic() < deadline and self._asked <= asked_before:
            time.sleep(0.05)
        if late:
            names = ", ".join(running.program.name for running in late)
            self.show("up", f"{names} did not stop in time and is killed; nothing stored is lost")
        for running in self._running:
            running.kill()
            if running.process is not None:
                running.process.wait(10)
            if running.reader is not None:
                running.reader.join(1)

    def _alive(self) -> list[_Running]:
        return [r for r in self._running if r.process is not None and r.process.poll() is None]


def describe_end(code: int) -> str:
    """How a process ended, in words."""
    if code >= 0:
        return f"ended with exit code {code}"
    with suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"
