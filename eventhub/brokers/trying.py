"""Trying a source before it is used: does the broker answer, is what it names there, what do its messages look like?

Nothing is read for good: no group's position moves and no message is taken away.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, TypeVar

import msgspec
from django.db import connections

from eventhub.brokers.adapter import Adapter, BrokerError, Lag, adapter_class, is_polled, open_adapter
from eventhub.brokers.config import read_config
from eventhub.brokers.failures import Failure, explain
from eventhub.brokers.models import Source
from eventhub.events.message import Message, OutgoingMessage

TIMEOUT_S = 8.0
# Of which an adapter waits so long for messages.
PEEK_S = 4.0
# How many topics or queues are asked for one by one.
MOST_PLACES = 20
CONSUMER = "eventhub-test"

T = TypeVar("T")


class Report(msgspec.Struct, frozen=True):
    """Whether the broker answered, and what there is to say about it."""

    ok: bool
    text: str
    # What went wrong, in a word or two, and what to do; empty when nothing did.
    problem: str = ""
    advice: str = ""
    # What a person should know although the broker answered.
    notes: tuple[str, ...] = ()


class Peeked(msgspec.Struct, frozen=True):
    """Messages that are at the broker, the newest first; or why there are none."""

    messages: tuple[Message, ...] = ()
    failure: Failure | None = None


def try_connection(source: Source, timeout_s: float | None = None) -> Report:
    """Connect to the broker of `source`, which need not be saved, and ask what waits there. Reads no message.

    Gives up after `timeout_s`, TIMEOUT_S if that is left out.
    """
    if not is_polled(source):
        return Report(
            True, f"{source.name} is written to by POST /api/events: there is nothing to connect to."
        )
    started = monotonic()
    try:
        lags, notes = _ask(
            source, lambda adapter: (adapter.lag(), _notes(source, adapter)), timeout_s or TIMEOUT_S
        )
    except Exception as error:  # noqa: BLE001 - what an adapter did not foresee is what the person wants to read
        failure = explain(error)
        return Report(False, failure.text, failure.problem, failure.advice)
    took_ms = round(1000 * (monotonic() - started))
    return Report(True, f"The broker answered in {took_ms} ms. {_say(source, lags)}", notes=notes)


def peek(source: Source, max_messages: int = 10) -> Peeked:
    """The newest messages of `source`, which need not be saved. No reader loses any. Gives up after TIMEOUT_S."""
    if not is_polled(source):
        return Peeked()
    try:
        return Peeked(tuple(_ask(source, lambda adapter: adapter.peek(max_messages, PEEK_S), TIMEOUT_S)))
    except Exception as error:  # noqa: BLE001 - as above
        return Peeked(failure=explain(error))


def cost_of_peeking(kind: str) -> str:
    """What peeking at a broker of `kind` does to its messages, as a sentence; empty when nothing."""
    try:
        cost: str = getattr(adapter_class(kind), "COST_OF_PEEKING", "")
    except BrokerError:
        return ""
    return cost


def _ask(source: Source, question: Callable[[Adapter], T], timeout_s: float) -> T:
    """What a new adapter answers. Raises BrokerError when it does not in time, and whatever it raises."""
    outcome: list[Any] = []

    def run() -> None:
        try:
            adapter = open_adapter(source, CONSUMER)
            try:
                outcome.append((question(adapter), None))
            finally:
                adapter.close()
        except Exception as error:  # noqa: BLE001 - carried over to the asking thread
            outcome.append((None, error))
        finally:
            connections.close_all()  # nobody else closes a thread's connection

    # A thread, because a broker that does not answer must not hold the page for as long as it likes.
    thread = threading.Thread(target=run, name=f"try {source.name}", daemon=True)
    thread.start()
    thread.join(timeout_s)
    if not outcome:
        raise BrokerError(f"The broker has not answered for {timeout_s:.0f} s.")
    answer, error = outcome[0]
    if error is not None:
        raise error
    result: T = answer
    return result


def _notes(source: Source, adapter: Adapter) -> tuple[str, ...]:
    """What is not there (yet) of what the source names."""
    names = read_config(source).reads()[:MOST_PLACES]
    places = [(name, adapter.place_of(OutgoingMessage(b"", name))) for name in names if name]
    return tuple(
        f"{name} is not there yet. {place.note}".strip() for name, place in places if place.exists is False
    )


def _say(source: Source, lags: list[Lag]) -> str:
    """What waits for this source's own group, where the broker has groups; else what is there."""
    if not lags:
        return "Nothing is there yet to read."
    group = getattr(read_config(source), "group", None)
    own = [lag for lag in lags if not group or lag.group == group]
    if not own:
        return f"Nobody has read {_some(sorted({lag.topic for lag in lags}))} as {group} yet."
    waiting: dict[str, int | None] = {}
    for lag in own:
        before = waiting.get(lag.topic, 0)
        waiting[lag.topic] = None if before is None or lag.messages is None else before + lag.messages
    told = [
        f"{topic}: {'unknown' if messages is None else f'{messages:,}'}"
        for topic, messages in waiting.items()
    ]
    return f"Waiting messages: {_some(told)}."


def _some(names: list[str]) -> str:
    return f"{', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}"
