"""What a terminal shows while EventHub starts, runs and stops."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO

NAME_WIDTH = 16
_COLOURS = {
    "web": "36",
    "ingest": "35",
    "tasks": "34",
    "handlers": "94",
    "beat": "33",
    "demo": "32",
    "up": "31",
}


class Story:
    """Writes to one stream, from any thread, a line at a time; colours only where a terminal wants them."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._lock = threading.Lock()
        self._coloured = self._stream.isatty() and "NO_COLOR" not in os.environ

    def say(self, text: str = "") -> None:
        """A line as it is."""
        # Nobody reads any more (`make run | head`): that is no reason to stop.
        with self._lock, suppress(BrokenPipeError, ValueError):
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def heading(self, text: str) -> None:
        """The first line."""
        self.say(f"\n  {self._paint(text, '1')}\n")

    @contextmanager
    def step(self, name: str) -> Iterator[list[str]]:
        """A step that takes a moment: append what became of it to the list that is given."""
        outcome: list[str] = []
        begun = time.monotonic()
        self._begin(name)
        try:
            yield outcome
        except BaseException:
            self._end("✗", "31", name, "failed", time.monotonic() - begun)
            raise
        self.done(name, " · ".join(outcome), time.monotonic() - begun)

    def done(self, name: str, outcome: str, took: float) -> None:
        """A step that took `took` seconds."""
        self._end("✓", "32", name, outcome, took)

    def fact(self, name: str, text: str) -> None:
        """A line of the closing summary."""
        self.say(f"  {self._paint(f'{name:{NAME_WIDTH}}', '2')}  {text}")

    def program(self, name: str, line: str) -> None:
        """One line of one program."""
        self.say(f"{self._paint(f'{name:>8} │', _COLOURS.get(name, '37'))} {line}")

    def strong(self, text: str) -> str:
        """`text` so that it stands out."""
        return self._paint(text, "1")

    def _begin(self, name: str) -> None:
        if self._coloured:  # a line that the outcome replaces; a log file gets the outcome only
            with self._lock, suppress(BrokenPipeError, ValueError):
                self._stream.write(f"  {self._paint('·', '2')} {name} …")
                self._stream.flush()

    def _end(self, sign: str, colour: str, name: str, outcome: str, took: float) -> None:
        start = "\r\x1b[K" if self._coloured else ""
        time_text = self._paint(f"{took:5.1f} s", "2")
        self.say(f"{start}  {self._paint(sign, colour)} {name:{NAME_WIDTH}}{time_text}   {outcome}")

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._coloured else text
