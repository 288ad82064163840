"""The adapter for RabbitMQ."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING

import amqp
import psycopg

from eventhub.brokers.adapter import BrokerError, Lag, Place, Refused
from eventhub.brokers.rabbitmq import asking
from eventhub.brokers.rabbitmq import connection as connections
from eventhub.brokers.rabbitmq.consuming import Consumer
from eventhub.brokers.rabbitmq.messages import Delivered, Maker, route
from eventhub.brokers.rabbitmq.publishing import Publisher, Routed
from eventhub.brokers.rabbitmq.stream import StreamPosition
from eventhub.brokers.rabbitmq.tap import Tap
from eventhub.events.message import Message, OutgoingMessage

if TYPE_CHECKING:  # the outbox's relay publishes in projects that have no sources
    from eventhub.brokers.models import Source


class RabbitMQ:
    """One reader of a Source's queue. Delivery is at least once: what is not acknowledged comes again."""

    COST_OF_PEEKING = (
        "A queue gives messages out and has them back: they are marked as redelivered then, and a quorum queue counts "
        "it as a delivery."
    )

    def __init__(self, source: "Source", consumer: str) -> None:
        self._tap = Tap(source, consumer)
        self._make = Maker(self._tap)
        self._consumer: Consumer | None = None
        self._stream: StreamPosition | None = None
        self._publisher: Publisher | None = None

    def poll(self, max_messages: int, timeout_s: float) -> list[Message]:
        """What the broker delivers; see Adapter.poll."""
        with self._errors():
            if self._consumer is None:
                if not self._may_read():
                    sleep(timeout_s)
                    return []
                self._consumer = self._consume()
            deliveries = self._consumer.read(max_messages, timeout_s)
            now = datetime.now(UTC)
            messages = [self._make.message(delivery, now) for delivery in deliveries]
            return self._not_stored_yet(messages) if self._stream else list(messages)

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """One acknowledgement for all of them, where nothing is in work between them; see Adapter.acknowledge."""
        if self._consumer is None:
            raise BrokerError("These messages were not read over this connection.")
        with self._errors():
            self._acknowledge([message.tag for message in batch if isinstance(message, Delivered)])

    def stay_connected(self) -> None:
        """RabbitMQ hangs up on who takes nothing in for 15 seconds; see StaysConnected."""
        if self._consumer is not None:
            with self._errors():
                self._consumer.take_in()

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Publish to where their properties say, see `messages`; see Adapter.publish."""
        with self._errors():
            if self._publisher and monotonic() - self._publisher.used_at > connections.HEARTBEAT_S:
                self._publisher.close()  # nobody answered the broker's heartbeats meanwhile
                self._publisher = None
            if self._publisher is None:
                self._publisher = Publisher(lambda: self._tap.connect("publishing"))
            try:
                refused = self._publisher.publish([Routed(*route(message), message) for message in messages])
            except (amqp.AMQPError, OSError):
                self._publisher.close()
                self._publisher = None
                raise
        if refused:
            raise Refused(refused)

    def lag(self) -> list[Lag]:
        """What waits in the source's queue; with the management API, in all queues of its exchange; see Adapter.lag."""
        return asking.lag_of(self._tap)

    @property
    def broker(self) -> str:
        """See WatchesAll."""
        return self._tap.broker

    def everything(self) -> list[Lag]:
        """Every queue of the virtual host; without the management API only the source's own. See WatchesAll."""
        return asking.everything(self._tap)

    def peek(self, max_messages: int, timeout_s: float) -> list[Message]:
        """What is in the queue, else what the exchange sends meanwhile; see Adapter.peek."""
        found = asking.peek(self._tap, max_messages, timeout_s)
        return [self._make.message(delivery, datetime.now(UTC)) for delivery in found]

    def place_of(self, message: OutgoingMessage) -> Place:
        """Whether its exchange or queue is there, and who would get it; see Adapter.place_of."""
        return asking.place_of(self._tap, *route(message))

    def close(self) -> None:
        """Let go of the connections; what was not acknowledged goes back to the queue."""
        for held in (self._consumer, self._publisher, self._stream):
            if held is not None:
                held.close()
        self._consumer = self._publisher = self._stream = None

    def _may_read(self) -> bool:
        """Whether this worker is the one that reads; of a queue, which shares out its messages, all are."""
        if not self._tap.is_stream:
            return True
        if self._stream is None:
            self._stream = StreamPosition(self._tap)
        return self._stream.may_read()

    def _consume(self) -> Consumer:
        tap = self._tap
        connection = tap.connect("reading")
        try:
            if tap.is_own:
                tap.declare(connection)
            arguments = {"x-stream-offset": self._stream.begin()} if self._stream else None
            return Consumer(connection, tap.queue, tap.config.prefetch, arguments=arguments)
        except BaseException:
            connections.close(connection)
            raise

    def _not_stored_yet(self, messages: list[Delivered]) -> list[Message]:
        """Those of a stream that are news."""
        assert self._stream is not None
        assert self._consumer is not None
        if not messages and self._stream.is_lost():
            self._consumer.close()
            self._consumer = None
            return []
        news: list[Message] = []
        stored: list[int] = []
        for message in messages:
            if self._stream.note(message.tag, int(message.offset)):
                news.append(message)
            else:
                stored.append(message.tag)
        if stored:
            self._acknowledge(stored)
        return news

    def _acknowledge(self, tags: list[int]) -> None:
        assert self._consumer is not None
        before = self._consumer.outstanding.done_up_to
        self._consumer.acknowledge(tags)
        if self._stream is not None and self._consumer.outstanding.done_up_to > before:
            self._stream.save(self._consumer.outstanding.done_up_to)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with self._tap.in_words():
                yield
        except psycopg.Error as error:
            raise BrokerError(
                f"The position in the stream {self._tap.queue} cannot be kept: {error}"
            ) from error
