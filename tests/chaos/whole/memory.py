"""The memory of every process of the product, sampled; and how fast it grows."""

import statistics
import threading
import time
from collections import defaultdict
from contextlib import suppress

import psutil

from tests.chaos.whole.installation import COMMANDS, Installation

EVERY_S = 5.0


class Memory:
    """Samples on a thread of its own."""

    def __init__(self, hub: Installation) -> None:
        self.hub = hub
        # What it is → (seconds since the beginning, MiB).
        self.samples: dict[str, list[tuple[float, float]]] = defaultdict(list)
        self._began = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(30)

    def _run(self) -> None:
        while not self._stopped.wait(EVERY_S):
            for name in (*COMMANDS, "postgres", "redis"):
                with suppress(psutil.Error, AssertionError, OSError):
                    self.samples[name].append((time.monotonic() - self._began, self.hub.memory_of(name)))

    def growth(self, name: str, since_s: float) -> tuple[float, float]:
        """MiB at the end, and by how many MiB an hour it grew since (a robust slope: the median of all pairs)."""
        later = [sample for sample in self.samples[name] if sample[0] >= since_s]
        slopes = [
            (b[1] - a[1]) / (b[0] - a[0])
            for number, a in enumerate(later)
            for b in later[number + 1 :: max(1, len(later) // 50)]
        ]
        return later[-1][1], statistics.median(slopes) * 3600
