"""Where a letter goes when it is sent again, and by whom: the ways are registered by those who know them."""

from collections.abc import Callable, Sequence

import msgspec

from dlq.formats import without_death
from dlq.headers import of_retry
from dlq.models import DeadLetter
from eventhub.brokers.adapter import is_polled, open_adapter
from eventhub.brokers.models import Kind, Role, Source
from eventhub.events.message import OutgoingMessage

# Publishes messages for a source and returns when they are safely handed over; raises BrokerError otherwise.
Publish = Callable[[Source, Sequence[OutgoingMessage]], None]

_registered: dict[str, Publish] = {}


class Route(msgspec.Struct, frozen=True):
    """A way for a letter: how, and where to, in words that go after "publishes it to"."""

    publish: Publish
    topic: str
    destination: str


class NoRoute(Exception):
    """The letter cannot be sent again. The text says why, and what can be done."""


def register(kind: str, publish: Publish) -> None:
    """Say how letters from sources of this kind of broker are sent again. Called in an ``AppConfig.ready()``."""
    _registered[kind] = publish


def route_of(letter: DeadLetter) -> Route:
    """The way for this letter; raises NoRoute. Reads `letter.source`."""
    source = letter.source
    if not letter.topic and source.role == Role.DEAD_LETTERS:
        raise NoRoute(
            "The dead letter does not say where it came from (no header names its topic), so there is no place to "
            "send it to. Download the body and publish it where it belongs, then discard this one."
        )
    if publish := _registered.get(source.kind):
        return Route(publish, letter.topic, _named(source, letter.topic))
    if not is_polled(source):
        raise NoRoute(
            f"Messages of {source.name} came in over {source.get_kind_display()}, and nothing here knows how to take "
            "them in again. Have the sender send it once more, then discard this one."
        )
    return Route(_through_the_adapter, letter.topic, _named(source, letter.topic))


def outgoing(letter: DeadLetter, attempt: int, route: Route) -> OutgoingMessage:
    """The message as it is sent again: the same bytes and key, without the headers that tell of the failure."""
    came = letter.raw_headers or letter.headers.items()
    told = of_retry(letter.pk, attempt, letter.failed_in)
    kept = [(name, value) for name, value in without_death(came) if name.lower() not in told]
    return OutgoingMessage(
        body=bytes(letter.body),
        topic=route.topic,
        headers=(*kept, *told.items()),
        key=letter.key,
        properties=letter.properties,
    )


def _through_the_adapter(source: Source, messages: Sequence[OutgoingMessage]) -> None:
    adapter = open_adapter(source, consumer="eventhub-retry")
    try:
        adapter.publish(messages)
    finally:
        adapter.close()


def _named(source: Source, topic: str) -> str:
    if source.kind == Kind.HTTP:
        return "EventHub's own intake"
    if source.kind == Kind.HANDLERS:
        return f"handler {topic}"
    noun = {Kind.REDIS: "stream", Kind.OUTBOX: "topic"}.get(Kind(source.kind), "topic")
    return f"{noun} {topic} ({source.get_kind_display()})"
