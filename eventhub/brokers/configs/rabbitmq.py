from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from eventhub.brokers.configs.fields import BrokerConfig, NonEmpty, Secret, described


class RabbitmqConfig(BrokerConfig, frozen=True, forbid_unknown_fields=True):
    """A tap on an exchange by a queue of its own, or a queue that is there already."""

    url: Annotated[
        Annotated[str, Meta(pattern=r"^amqps?://")],
        described(
            'the address and virtual host, e.g. "amqp://eventhub@rabbitmq:5672/shop"; of a cluster, several with ";" '
            "between them, tried in this order"
        ),
    ]
    password: Annotated[Secret | None, described("the password to sign in with")] = None
    exchange: Annotated[
        NonEmpty | None,
        described('the exchange to tap, e.g. "orders"; its messages are copied, nobody else loses any'),
    ] = None
    bindings: Annotated[
        list[str],
        described(
            'the routing keys to bind to the exchange, e.g. ["order.#"]; left out, "#", which is everything but on a '
            "direct exchange: there each key must be named"
        ),
    ] = msgspec.field(default_factory=lambda: ["#"])
    header_bindings: Annotated[
        list[dict[str, str | int | bool]],
        described('on a headers exchange, what to bind, e.g. [{"x-match": "all", "kind": "order"}]'),
    ] = []
    queue: Annotated[
        NonEmpty | None,
        described(
            'the queue: with an exchange, the tap\'s own, made where it is missing (left out: "eventhub." and the '
            "source's name); without one, a queue that is there, whose messages are taken from it"
        ),
    ] = None
    queue_type: Annotated[
        Literal["classic", "quorum", "stream"],
        described(
            'the kind of the tap\'s own queue: "quorum" (the default), "classic" or "stream"; of a queue that '
            'is there, say "stream" when it is one'
        ),
    ] = "quorum"
    max_priority: Annotated[
        Annotated[int, Meta(ge=1, le=255)] | None,
        described(
            "the highest priority that the tap's own classic queue tells apart, 1 to 255; left out, none"
        ),
    ] = None
    stream_start: Annotated[
        Annotated[
            str, Meta(pattern=r"^(first|last|next|\d+|\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))$")
        ],
        described(
            'where reading a stream begins when nothing was read yet: "first" (the default), "last", "next", an '
            'offset, or a time such as "2030-12-31T00:00:00Z"'
        ),
    ] = "first"
    stream_max_age: Annotated[
        Annotated[str, Meta(pattern=r"^[1-9]\d*[YMDhms]$")],
        described(
            'how long the tap\'s own stream keeps messages, e.g. "7D" (the default): a number and Y, M, D, h, m or s'
        ),
    ] = "7D"
    prefetch: Annotated[
        Annotated[int, Meta(ge=1, le=65_535)],
        described("how many messages RabbitMQ may hand out unacknowledged, 1 to 65,535 (10,000 by default)"),
    ] = 10_000
    management_url: Annotated[
        Annotated[str, Meta(pattern=r"^https?://")] | None,
        described('the management API, for rates and other consumers\' queues, e.g. "http://rabbitmq:15672"'),
    ] = None
    ca_certificate: Annotated[
        NonEmpty | None, described("the certificate authority to trust, in PEM; left out, the system's")
    ] = None
    client_certificate: Annotated[
        NonEmpty | None, described("a client certificate in PEM, for mutual TLS")
    ] = None
    client_key: Annotated[Secret | None, described("the client certificate's private key in PEM")] = None

    def reads(self) -> list[str]:
        """The exchange, else the queue."""
        return [self.exchange or self.queue or ""]

    def __post_init__(self) -> None:
        """Raises ValueError, which says what to change."""
        if not (self.exchange or self.queue):
            raise ValueError("The config should name the exchange to tap, or the queue to read.")
        if self.header_bindings and self.bindings != ["#"]:
            raise ValueError(
                "The config should give either 'header_bindings', for a headers exchange, or 'bindings', for any other."
            )
        if self.max_priority and not (self.exchange and self.queue_type == "classic"):
            raise ValueError("Only a tap's own queue of the type 'classic' can have a 'max_priority'.")
        if bool(self.client_certificate) != bool(self.client_key):
            raise ValueError("'client_certificate' and 'client_key' go together.")
