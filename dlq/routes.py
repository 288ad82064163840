"""Where a letter goes when it is sent again, and by whom: the ways are registered by those who know them."""

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache

import msgspec

from dlq.formats import without_death
from dlq.headers import of_retry
from dlq.models import DeadLetter, Reason, RedirectRule
from eventhub.brokers.adapter import is_polled
from eventhub.brokers.models import Kind, Role, Source
from eventhub.events.message import OutgoingMessage

# Publishes messages for a source and returns when they are safely handed over. Raises BrokerError, and Refused for
# some of them, as Adapter.publish does.
Publish = Callable[[Source, Sequence[OutgoingMessage]], None]

# What tells a place on AMQP, among a message's properties; the topic names it for people.
AMQP_PLACE = ("exchange", "routing_key")
# A redirect to "exchange:NAME/KEY" goes through that exchange, with the letter's own key when none is named.
TO_EXCHANGE = "exchange:"
NOUNS = {Kind.REDIS: "stream", Kind.RABBITMQ: "queue", Kind.SQS: "queue"}

_registered: dict[str, Publish] = {}


class Sendable(msgspec.Struct, frozen=True):
    """A letter with what is needed to send it again, and nothing else."""

    source: Source
    pk: int
    reason: str
    topic: str
    read_from: str
    partition: int | None
    key: str | None
    failed_in: str
    body: bytes
    headers: dict[str, str]
    raw_headers: list[tuple[str, str]] | None
    properties: dict[str, str]


class Route(msgspec.Struct, frozen=True):
    """A way for a letter: where to, in words that go after "publishes it to", and by whom."""

    source: Source
    topic: str
    destination: str
    # None: the adapter of the source.
    publish: Publish | None = None
    # Why it goes elsewhere than where it came from; empty when it does not.
    redirected: str = ""
    # It is another place than the letter's own partition, exchange and routing key; the place on AMQP, if it has one.
    is_elsewhere: bool = False
    place: Mapping[str, str] = {}


class NoRoute(Exception):
    """The letter cannot be sent again. The text says why, and what can be done."""


class Redirects(msgspec.Struct, frozen=True):
    """What sends letters elsewhere: the rules in force, and what the asker said for this one time, which wins."""

    rules: list[RedirectRule] = []
    once: str = ""

    @classmethod
    def in_force(cls, once: str = "") -> "Redirects":
        """As they are now. One statement."""
        return cls(list(RedirectRule.objects.filter(enabled=True)), once)

    def of(self, source: Source, topic: str) -> tuple[str, str]:
        """Where letters of `source` for `topic` go, and why there; the topic itself and "" when nothing says so."""
        if self.once:
            return self.once, "as asked for this retry"
        for rule in self.rules:
            if rule.source_id in (None, source.pk) and fnmatchcase(topic, rule.pattern):
                return rule.to_topic, f"by a redirect rule of {rule.created_by}: {rule.why}"
        return topic, ""


def register(kind: str, publish: Publish) -> None:
    """Say how letters from sources of this kind of broker are sent again. Called in an ``AppConfig.ready()``."""
    _registered[kind] = publish


def route_of(letter: DeadLetter | Sendable, redirects: Redirects | None = None) -> Route:
    """The way for this letter; raises NoRoute. Reads `letter.source`, and the rules unless they are given."""
    source = letter.source
    publish = _registered.get(source.kind)
    topic, redirected = letter.topic, ""
    if publish is None:
        topic, redirected = (redirects or Redirects.in_force()).of(source, topic)
    elif redirects and redirects.once:
        raise NoRoute(f"It goes back to {_named(source.kind, topic)}, and cannot be redirected to a topic.")
    if not topic and source.role == Role.DEAD_LETTERS:
        raise NoRoute(
            "The dead letter does not say where it came from (no header names its topic), so there is no place to "
            "send it to. Redirect it to a topic, or download the body and publish it where it belongs."
        )
    if publish is None and not is_polled(source):
        raise NoRoute(
            f"Messages of {source.name} came in over {source.get_kind_display()}, and nothing here knows how to take "
            "them in again. Have the sender send it once more, then discard this one."
        )
    if source.kind == Kind.RABBITMQ:
        return _amqp_route(letter, topic, redirected)
    return Route(source, topic, _named(source.kind, topic), publish, redirected, bool(redirected))


def _amqp_route(letter: DeadLetter | Sendable, topic: str, redirected: str) -> Route:
    """To an exchange with a routing key, or to a queue through the default exchange, whose keys are queues' names."""
    source, own = letter.source, letter.properties
    if not redirected and letter.reason != Reason.SERVICE and (queue := own.get("queue")):
        # EventHub could not read it: others on its exchange may have, and need not see it again.
        return Route(source, queue, _named(source.kind, queue), is_elsewhere=True)
    exchange, routing_key = (own.get(name, "") for name in AMQP_PLACE)
    place: dict[str, str] = {}
    if redirected:
        named = topic.removeprefix(TO_EXCHANGE)
        exchange, routing_key = "", routing_key
        if named != topic:
            exchange, _, key = named.partition("/")
            routing_key = key or routing_key
            place = dict(zip(AMQP_PLACE, (exchange, routing_key), strict=True))
            topic = exchange
    return Route(
        source,
        topic,
        _named(source.kind, topic, exchange, routing_key),
        None,
        redirected,
        bool(redirected),
        place,
    )


def outgoing(letter: DeadLetter | Sendable, attempt: int, route: Route) -> OutgoingMessage:
    """The message as it is sent again: the same bytes and key, without the headers that tell of the failure.

    Where it goes back to, it has the partition and the properties that it had there; elsewhere these mean nothing.
    """
    came = letter.raw_headers or letter.headers.items()
    told = of_retry(letter.pk, attempt, letter.failed_in)
    kept = [header for header in without_death(came) if header[0].lower() not in told]
    properties: Mapping[str, str] = letter.properties
    if route.is_elsewhere:
        own = {name: value for name, value in properties.items() if name not in AMQP_PLACE}
        properties = {**own, **route.place}
    return OutgoingMessage(
        body=bytes(letter.body),
        topic=route.topic,
        headers=(*kept, *told.items()),
        key=letter.key,
        partition=None if route.is_elsewhere else letter.partition,
        properties=properties,
    )


@lru_cache(maxsize=1024)
def _named(kind: str, topic: str, exchange: str = "", routing_key: str = "") -> str:
    if kind == Kind.HTTP:
        return "EventHub's own intake"
    if kind == Kind.HANDLERS:
        return f"handler {topic}"
    if exchange:
        return f"exchange {exchange} with routing key {routing_key or '(none)'} ({Kind(kind).label})"
    noun = NOUNS.get(Kind(kind), "topic")
    return f"{noun} {topic} ({Kind(kind).label})"
