"""What a source reads: an exchange through a queue of its own, or a queue that is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from eventhub.brokers.config import RabbitmqConfig, read_config
from eventhub.brokers.rabbitmq import connection as connections

if TYPE_CHECKING:  # the outbox's relay publishes in projects that have no sources
    from eventhub.brokers.models import Source

# RabbitMQ 4 drops a message of a quorum queue that came back 20 times, as it does when workers are killed. A tap
# loses nothing, so its limit is out of reach.
DELIVERY_LIMIT = 1_000_000_000


class Tap:
    """The names of what one source reads, how to connect to it, and how to have it there."""

    def __init__(self, source: "Source", consumer: str) -> None:
        """`consumer` is the reader's name, which RabbitMQ shows. Raises BadConfig."""
        self.source = source
        self.config = read_config(source, RabbitmqConfig)
        self.queue = self.config.queue or f"eventhub.{source.name}"
        # What its messages are said to be read from.
        self.topic = self.config.exchange or self.queue
        # Whether the queue is the source's own.
        self.is_own = self.config.exchange is not None
        self.is_stream = self.config.queue_type == "stream"
        self._consumer = consumer

    @property
    def broker(self) -> str:
        """What the broker is called: its addresses and the virtual host."""
        servers = connections.addresses(self.config)
        return ",".join(map(connections.where, servers)) + f"/{servers[0].virtual_host.strip('/')}"

    def connect(self, doing: str) -> Any:
        """A connection of py-amqp; `doing` says in a word what for. Raises BrokerError."""
        name = f"EventHub: {self.source.name}, {doing} ({self._consumer})"
        return connections.connect(self.config, name)

    @contextmanager
    def connected(self, doing: str) -> Iterator[Any]:
        """A connection for as long as the block runs; what goes wrong in it is a BrokerError."""
        with self.in_words():
            connection = self.connect(doing)
            try:
                yield connection
            finally:
                connections.close(connection)

    @contextmanager
    def in_words(self) -> Iterator[None]:
        """What py-amqp and the network raise becomes a BrokerError."""
        with connections.in_words(", ".join(map(connections.where, connections.addresses(self.config)))):
            yield

    def check_exchange(self, connection: Any) -> None:
        """Raises amqp.NotFound when the exchange is not there. It is somebody else's, and never made or changed."""
        with connection.channel() as channel:
            channel.exchange_declare(self.topic, "", passive=True)

    def declare(self, connection: Any) -> None:
        """Have the source's own queue, bound to the exchange."""
        arguments: dict[str, Any] = {"x-queue-type": self.config.queue_type}
        if self.config.queue_type == "quorum":
            arguments["x-delivery-limit"] = DELIVERY_LIMIT
        elif self.is_stream:
            arguments["x-max-age"] = self.config.stream_max_age
        if self.config.max_priority:
            arguments["x-max-priority"] = self.config.max_priority
        self.check_exchange(connection)
        with connection.channel() as channel:
            channel.queue_declare(self.queue, durable=True, auto_delete=False, arguments=arguments)
            self.bind(channel, self.queue)

    def bind(self, channel: Any, queue: str) -> None:
        """Have the exchange send to `queue` what the config says."""
        if self.config.header_bindings:
            for wanted in self.config.header_bindings:
                channel.queue_bind(queue, self.topic, "", arguments=wanted)
        else:
            for key in self.config.bindings:
                channel.queue_bind(queue, self.topic, key)
