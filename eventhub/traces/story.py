"""A trace told in a line: "order 8412 · 9 events · 5 services · 1.8 s · ● placed → paid → ✕ shipping failed"."""

import re
from typing import Any

import msgspec

from eventhub.pages.formats import duration, short_id
from eventhub.pages.hues import entity
from eventhub.traces.assemble import Step, Trace
from eventhub.traces.outcome import is_bad_news, said_about

MOST_WORDS = 6
# How many of the first events are looked through for what the trace is about.
_LOOKED_AT = 12
_LONGEST_ID = 80
# What a dead letter says that no service failed on.
_DIED = {"undecodable": "unreadable", "invalid": "invalid", "unstorable": "not stored"}
_STREAM = re.compile(r"([A-Za-z][A-Za-z_ ]*?)[-/:#.](.+)", re.DOTALL)


class Word(msgspec.Struct, frozen=True):
    """One station of the path: what was said, how often in a row, and whether it went wrong there."""

    text: str
    times: int = 1
    failed: bool = False
    # Stations were left out here.
    gap: bool = False


class Story(msgspec.Struct, frozen=True):
    """What a trace is about and the way it took. `number` is "" where no event tells it."""

    entity: str
    number: str
    path: tuple[Word, ...]

    @property
    def short_number(self) -> str:
        """The number as a headline has room for it."""
        return short_id(self.number, 8)


def story_of(trace: Trace) -> Story:
    """The trace's story."""
    about, number = subject_of(trace.steps)
    words = _spoken(trace, about)
    return Story(about, number, _shortened(words))


def in_words(trace: Trace, story: Story) -> str:
    """The whole line as text, for titles, screen readers and the API."""
    events, services = len(trace.steps), len(trace.services)
    path = " → ".join(
        "…"
        if word.gap
        else f"{'✕ ' if word.failed else ''}{word.text}{f' ×{word.times:,}' if word.times > 1 else ''}"
        for word in story.path
    )
    return " · ".join(
        [
            f"{story.entity} {story.number}".strip() or trace.correlation_id,
            f"{events:,}{'+' if trace.truncated else ''} event{'' if events == 1 else 's'}",
            f"{services} service{'' if services == 1 else 's'}",
            duration(trace.duration_s),
            f"● {path}",
        ]
    )


def subject_of(steps: tuple[Step, ...]) -> tuple[str, str]:
    """What the trace is about: entity and number of the first event that tells one, else ("", "")."""
    for step in steps[:_LOOKED_AT]:
        if step.event is None:
            continue
        about = entity(step.event_type)
        if step.event.stream and (found := _from_stream(step.event.stream, about)):
            return found
        if number := _from_data(step.event.value, about):
            return about, number
    return (entity(steps[0].event_type), "") if steps else ("", "")


def _from_stream(stream: str, about: str) -> tuple[str, str] | None:
    """`order-8412`, `order/8412`, `Order:8412` → ("order", "8412"); a bare id belongs to the type's entity."""
    match = _STREAM.fullmatch(stream)
    if match:
        return match[1].lower(), match[2][:_LONGEST_ID]
    return (about, stream[:_LONGEST_ID]) if about else None


def _from_data(data: Any, about: str) -> str | None:
    """The number that the payload calls the entity's own: order_id, orderId, order.id, id, number."""
    if not isinstance(data, dict) or not about:
        return None
    nested = data.get(about)
    inner = nested if isinstance(nested, dict) else {}
    for value in (
        *(data.get(f"{about}{ending}") for ending in ("_id", "Id", "ID", "_number", "Number", "_no")),
        *(inner.get(name) for name in ("id", "number")),
        *(data.get(name) for name in ("id", "number", "reference")),
    ):
        if (
            isinstance(value, str | int)
            and not isinstance(value, bool)
            and 0 < len(str(value)) <= _LONGEST_ID
        ):
            return str(value)
    return None


def _spoken(trace: Trace, about: str) -> list[Word]:
    """A word an event in the order of time, equal neighbours counted, failures of services in between."""
    words: list[Word] = []

    def say(text: str, failed: bool) -> None:
        if words and (words[-1].text, words[-1].failed) == (text, failed):
            words[-1] = Word(text, words[-1].times + 1, failed)
        else:
            words.append(Word(text, 1, failed))

    for step in sorted(trace.steps, key=lambda one: (one.at, one.index)):
        if step.event is not None:
            say(said_about(step.event_type, about), is_bad_news(step.event_type))
        waiting = [letter for letter in step.letters if letter.waits]
        culprits = [letter.failed_in for letter in waiting if letter.failed_in]
        culprits += [delivery.service for delivery in step.failed_deliveries if not delivery.will_retry]
        for service in dict.fromkeys(culprits):
            say(f"{service} failed", True)
        for letter in waiting:
            if not letter.failed_in:
                said = "" if step.event else f"{said_about(step.event_type, about)} "
                say(said + _DIED.get(letter.reason, "died"), True)
    return words


def _shortened(words: list[Word]) -> tuple[Word, ...]:
    """At most `MOST_WORDS` stations: the first, the last, and what failed between them."""
    if len(words) <= MOST_WORDS:
        return tuple(words)
    last = len(words) - 1
    wanted = [0, last, *(index for index, word in enumerate(words) if word.failed), 1, last - 1, 2, last - 2]
    kept = sorted(list(dict.fromkeys(wanted))[: MOST_WORDS - 1])
    told: list[Word] = []
    for before, index in zip([-1, *kept], kept, strict=False):
        if index > before + 1:
            told.append(Word("…", gap=True))
        told.append(words[index])
    return tuple(told)
