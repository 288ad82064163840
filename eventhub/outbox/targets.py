"""Where the relay publishes to: a broker, by the same adapters that EventHub reads with, without its sources."""

from collections.abc import Sequence
from typing import Any, Protocol

import msgspec
from django.conf import settings
from django.utils.module_loading import import_string

from eventhub.brokers.adapter import BadConfig
from eventhub.events.message import OutgoingMessage

ADAPTERS = {
    "kafka": "eventhub.brokers.kafka.adapter.Kafka",
    "rabbitmq": "eventhub.brokers.rabbitmq.adapter.RabbitMQ",
    "sqs": "eventhub.brokers.sqs.adapter.Sqs",
    "redis": "eventhub.brokers.redis_streams.RedisStreams",
}
# A config names what is read, which a relay does not do; where it has to, this stands in.
NOTHING_READ: dict[str, dict[str, Any]] = {
    "kafka": {"topics": ["-"]},
    "rabbitmq": {"queue": "-"},
    "sqs": {"queues": ["-"]},
    "redis": {"streams": ["-"]},
}


class Publisher(Protocol):
    """As much of an adapter as the relay needs; see eventhub.brokers.adapter.Adapter."""

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Publish in this order for each key, confirmed when it returns. Raises Refused and BrokerError."""

    def close(self) -> None:
        """Let go of the connection."""


class Target(msgspec.Struct):
    """Stands where an adapter expects a Source: its name, the kind of broker, and the config."""

    name: str
    kind: str
    config: dict[str, Any]
    role: str = "events"
    secrets: str = ""
    pk: int = 0


def target_from_settings() -> Target:
    """``settings.OUTBOX_TARGET``: ``{"kind": "kafka", "config": {"bootstrap_servers": "…"}}``. Raises BadConfig."""
    value = getattr(settings, "OUTBOX_TARGET", None)
    if not isinstance(value, dict) or "kind" not in value:
        raise BadConfig(
            'Set OUTBOX_TARGET to where the relay publishes, e.g. {"kind": "kafka", "config": '
            '{"bootstrap_servers": "127.0.0.1:9092"}}.'
        )
    return target(value["kind"], value.get("config", {}))


def target(kind: str, config: dict[str, Any]) -> Target:
    """A target of this kind. Raises BadConfig for a kind that there is not."""
    if kind not in ADAPTERS:
        raise BadConfig(f"The relay does not publish to {kind!r}. Known: {', '.join(sorted(ADAPTERS))}.")
    return Target("outbox-relay", kind, NOTHING_READ[kind] | config)


def connect(to: Target) -> Publisher:
    """A publisher to `to`. Raises BrokerError."""
    publisher: Publisher = import_string(ADAPTERS[to.kind])(to, "outbox")
    return publisher
