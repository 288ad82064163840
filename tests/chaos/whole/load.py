"""The load: a producer for each source, which sends numbered events until its broker says that it has them for good."""

import json
import threading
import time
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from eventhub.brokers.adapter import Adapter, open_adapter
from eventhub.brokers.models import Source
from eventhub.events.message import OutgoingMessage

EVERY_S = 0.1
AGAIN_AFTER_S = 0.3
ANSWER_WITHIN_S = 30.0


class Publisher(Protocol):
    """How one producer sends."""

    def publish(self, bodies: Sequence[bytes]) -> None:
        """Return once all of them are surely there; raise whatever happens otherwise."""


class ToBroker:
    """By way of an adapter of the product, which is opened again whenever it stumbled."""

    def __init__(self, source: Source, topic: str, **properties: Any) -> None:
        self.source, self.topic, self.properties = source, topic, properties
        self._adapter: Adapter | None = None

    def publish(self, bodies: Sequence[bytes]) -> None:
        if self._adapter is None:
            self._adapter = open_adapter(self.source, "producer")
        try:
            self._adapter.publish(
                [OutgoingMessage(body, self.topic, properties=self.properties) for body in bodies]
            )
        except Exception:
            self._adapter.close()
            self._adapter = None
            raise


class ToHttp:
    """As a service that sends by itself."""

    def __init__(self, url: str, token: str, source: str) -> None:
        self.address = f"{url}/api/events?source={source}"
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def publish(self, bodies: Sequence[bytes]) -> None:
        request = urllib.request.Request(self.address, b"[" + b",".join(bodies) + b"]", self.headers)
        with urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S) as answer:
            told = json.loads(answer.read())
        assert told["rejected"] == 0, told


class Sender:
    """Sends to one source at an even pace; what it was told is there, it remembers by the part of the run."""

    def __init__(self, name: str, publisher: Publisher, per_s: float) -> None:
        self.name = name
        self.publisher = publisher
        self.per_s = per_s
        # How far the clock is wrong that this producer writes its timestamps by.
        self.skew = timedelta()
        # Of each part: event id → when it was sent.
        self.confirmed: dict[str, dict[str, float]] = defaultdict(dict)
        self.failures = 0
        self.last_failure = ""
        self._part = ""
        self._number = 0
        self._going = threading.Event()
        self._idle = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"producer {name}", daemon=True)
        self._thread.start()

    def begin(self, part: str) -> None:
        """Send events of this part until `pause`."""
        self._part, self._number = part, 0
        self._idle.clear()
        self._going.set()

    def pause(self) -> None:
        """Send no new ones. What was begun is sent again until it is confirmed: `is_idle` tells."""
        self._going.clear()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return self._idle.is_set()

    def stop(self) -> None:
        """For good."""
        self._stopped.set()
        self._thread.join(60)

    def flood(self, count: int, kind: str) -> None:
        """So many of one kind at once, then the even pace again. Blocks until all of them are confirmed."""
        self.pause()
        while not self.is_idle:
            time.sleep(EVERY_S / 2)
        for start in range(0, count, 2_000):
            self._surely(self._make(min(2_000, count - start), kind))
        self._idle.clear()
        self._going.set()

    def _run(self) -> None:
        due, owed = time.monotonic(), 0.0
        while not self._stopped.is_set():
            if not self._going.is_set():
                self._idle.set()
                self._going.wait(EVERY_S)
                due, owed = time.monotonic(), 0.0
                continue
            owed += self.per_s * EVERY_S
            if count := int(owed):
                owed -= count
                self._surely(self._make(count, f"chaos.{self.name}"))
            # A producer that was held up does not make up for it.
            due = max(due + EVERY_S, time.monotonic())
            self._stopped.wait(due - time.monotonic())

    def _make(self, count: int, kind: str) -> dict[str, bytes]:
        made = {}
        for _ in range(count):
            self._number += 1
            event_id = f"{self._part}:{kind}:{self._number}"
            now = time.time()
            event = {
                "event_id": event_id,
                "event_type": kind,
                "timestamp": (datetime.fromtimestamp(now, UTC) + self.skew).isoformat(),
                "data": {"sent": now, "n": self._number},
                "metadata": {"source": "chaos", "correlation_id": f"{self._part}-{self._number // 5}"},
            }
            made[event_id] = json.dumps(event).encode()
        return made

    def _surely(self, made: dict[str, bytes]) -> None:
        sent = time.time()
        while not self._stopped.is_set():
            try:
                self.publisher.publish(list(made.values()))
            except Exception as error:  # noqa: BLE001 - a producer tries until it succeeds
                self.failures += 1
                self.last_failure = f"{type(error).__name__}: {error}"[:300]
                self._stopped.wait(AGAIN_AFTER_S)
            else:
                self.confirmed[self._part].update(dict.fromkeys(made, sent))
                return


def wait_for(what: str, condition: Callable[[], object], timeout_s: float, every_s: float = 0.3) -> float:
    """Seconds until it was so; in vain is a failure that says what was waited for."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, f"in vain for {timeout_s:.0f} s: {what}"
        time.sleep(every_s)
    return time.monotonic() - began
