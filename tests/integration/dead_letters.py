"""Another service's dead-letter queue in EventHub: taken in as a worker does, looked at and sent again as people do."""

import html
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from dlq.models import DeadLetter, Retry, RetryState, Status
from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.adapter import open_adapter
from eventhub.brokers.models import Kind, Role, Source
from eventhub.ingest.loop import SourceLoop
from eventhub.ingest.pipeline import Pipeline
from tests.dlq.sending import send_again, sent


class Desk:
    """One source with role "dead letters", as its worker and its people have it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._adapter = open_adapter(source, "w1")
        self._pipeline = Pipeline(source)
        self._browser = Client()
        self._browser.force_login(User.objects.create_superuser(f"of-{source.name}"))
        self._script = Client(headers={"authorization": f"Bearer {create_token(source.name, Scope.READ)}"})

    def take_in(self, count: int = 1, timeout_s: float = 40.0) -> None:
        """Read, store and acknowledge, until `count` messages came."""
        deadline = time.monotonic() + timeout_s
        came = 0
        while came < count:
            assert time.monotonic() < deadline, f"{came} of {count} messages came"
            messages = self._adapter.poll(100, 0.5)
            if messages:
                self._pipeline.write(self._pipeline.prepare(messages))
                self._adapter.acknowledge(messages)
                came += len(messages)
        assert came == count

    def letter(self) -> DeadLetter:
        """The only letter there is, as it stands."""
        return DeadLetter.objects.select_related("group").get(source=self.source)

    def page(self) -> str:
        """The words of the letter's page."""
        return self._words(f"/dead-letters/{self.letter().pk}/")

    def sheet(self) -> str:
        """The words of what asks before a retry."""
        return self._words(f"/dead-letters/retry/?letter={self.letter().pk}", {"hx-request": "true"})

    def answer(self) -> dict[str, Any]:
        """What the API tells of the letter."""
        answer = self._script.get(f"/api/dead-letters/{self.letter().pk}")
        assert answer.status_code == 200
        told: dict[str, Any] = answer.json()
        return told

    def check_shown(self, **told: Any) -> None:
        """That the letter has these fields, and that the API and the page show them, and the page its group."""
        letter = self.letter()
        assert {name: getattr(letter, name) for name in told} == told
        answer, page = self.answer(), self.page()
        assert {name: answer[name] for name in told} == told
        assert [str(value) for value in told.values() if str(value) not in page] == []
        assert letter.group.title[:80] in page

    def retry(self) -> dict[str, str]:
        """Send the letter again by a job; the headers that tell of it."""
        letter = self.letter()
        assert sent(send_again(letter.pk)) == [letter.pk]
        retry = Retry.objects.latest("pk")
        assert (retry.state, self.letter().status) == (RetryState.PUBLISHED, Status.SENT)
        return {
            "eventhub-retry-of": str(letter.pk),
            "eventhub-attempt": str(letter.attempts + 1),
            "eventhub-retry-for": letter.failed_in,
        }

    def check_came_back(self, attempt: int) -> None:
        """That the one letter is open again and says so."""
        letter = self.letter()
        assert (letter.status, letter.returns, letter.attempts) == (Status.OPEN, 1, attempt)
        assert Retry.objects.get().state == RetryState.FAILED_AGAIN
        assert f"came back, attempt {attempt}" in self.page()
        assert letter.past_failures.count() == 1

    def close(self) -> None:
        """Let go of the broker."""
        self._adapter.close()

    def _words(self, path: str, headers: dict[str, str] | None = None) -> str:
        answer = self._browser.get(path, headers=headers)
        assert answer.status_code == 200
        return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", answer.content.decode())).split())


@contextmanager
def desk(name: str, kind: Kind, **config: Any) -> Iterator[Desk]:
    """The desk of a new source."""
    opened = Desk(Source.objects.create(name=name, kind=kind, role=Role.DEAD_LETTERS, config=config))
    try:
        yield opened
    finally:
        opened.close()


ORDER = (
    b'{"event_id": "evt-8412", "event_type": "order.placed", "event_version": "2",'
    b' "timestamp": "2026-11-24T10:00:00Z", "data": {"order_id": 8412, "total":  49.50},'
    b' "metadata": {"source": "web-shop", "correlation_id": "order-8412"}}'
)
"""An event with what is easily lost: two blanks, a zero at the end of a number."""


def check_leaves_only_when_stored(
    source: Source, left: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That what waits in the dead-letter queue of `source` stays there until it is stored, and is stored once.

    The worker's own loop runs: its first write fails, and then its first acknowledgement of what it has stored.
    `left` counts what the queue holds, also what it has handed out.
    """
    adapter = open_adapter(source, "looking")
    kind = type(adapter)
    adapter.close()
    write, acknowledge = Pipeline.write, kind.acknowledge
    seen: list[tuple[str, int, int]] = []

    def look(moment: str) -> None:
        seen.append((moment, DeadLetter.objects.filter(source=source).count(), left()))

    def write_later(pipeline: Pipeline, batch: Any) -> Any:
        if not seen:
            look("not written")
            raise OSError("The disk is full.")
        return write(pipeline, batch)

    def acknowledge_later(adapter: Any, messages: Any) -> None:
        if len(seen) == 1:
            look("not acknowledged")
            raise OSError("The line is dead.")
        acknowledge(adapter, messages)

    with monkeypatch.context() as patch:
        patch.setattr(Pipeline, "write", write_later)
        patch.setattr(kind, "acknowledge", acknowledge_later)
        loop = SourceLoop(source, "w1")
        loop.start()
        try:
            deadline = time.monotonic() + 60
            while left():
                assert time.monotonic() < deadline, f"it stays in the queue: {loop.last_error}"
                time.sleep(0.2)
        finally:
            loop.stop()
            assert loop.join(30)
    assert seen == [("not written", 0, 1), ("not acknowledged", 1, 1)]
    assert DeadLetter.objects.filter(source=source).count() == 1
