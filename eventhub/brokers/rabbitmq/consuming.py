"""Consuming one queue over a connection of its own."""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from time import monotonic
from typing import Any

from amqp import spec

from eventhub.brokers.rabbitmq.acknowledging import Outstanding
from eventhub.brokers.rabbitmq.connection import CLOSE_TIMEOUT_S, say_goodbye
from eventhub.brokers.rabbitmq.frames import Delivery, FrameReader

# How many messages a batch holds is bounded by their size, too.
BATCH_BYTES = 16_000_000
# What the broker may hand out beyond what was read; it begins with few, as nobody knows how large messages are.
PREFETCH_BYTES = 2 * BATCH_BYTES
FIRST_PREFETCH = 500
# A flowing queue comes in small pieces: this long after one, another belongs to the same batch.
LINGER_S = 0.005
# While one consumer follows another, a read looks this often whether it can begin.
CHANGING_LOOK_S = 0.01


class Consumer:
    """Reads a queue and acknowledges. Raises amqp.AMQPError and OSError.

    The broker counts messages and not bytes, so the prefetch follows the size of the messages. It belongs to a consumer
    from beginning to end: to change it, this one is cancelled, and another begins on the same channel, where what is
    unacknowledged stays so.
    """

    def __init__(
        self, connection: Any, queue: str, prefetch: int, *, arguments: Mapping[str, Any] | None = None
    ) -> None:
        """Begin to consume `queue`. With `arguments`, as a stream wants them, the prefetch stays what it is."""
        self.outstanding = Outstanding()
        self._connection = connection
        self._queue = queue
        self._max_prefetch = prefetch
        self._is_fixed = arguments is not None
        self.prefetch = prefetch if self._is_fixed else min(prefetch, FIRST_PREFETCH)
        # Whether the consumer was cancelled, and the next one has not begun.
        self._is_changing = False
        self._consumers = 0
        self._last_tag = 0
        # Of the messages lately, together.
        self._seen = 0
        self._seen_bytes = 0
        self._channel = connection.channel()
        self._channel.basic_qos(0, self.prefetch, False)
        self._channel.basic_consume(
            queue, consumer_tag=self._next_name(), callback=_not_called, arguments=dict(arguments or {})
        )
        self._reader = FrameReader(connection, self._channel.channel_id)

    def read(self, max_messages: int, timeout_s: float) -> list[Delivery]:
        """What is delivered; waits up to `timeout_s` for the first."""
        deadline = monotonic() + timeout_s
        while True:
            left_s = max(0.0, deadline - monotonic())
            wait_s = min(left_s, CHANGING_LOOK_S) if self._is_changing else left_s
            deliveries = self._reader.read(max_messages, BATCH_BYTES, wait_s, LINGER_S)
            if self._is_changing:
                self._begin_next()
            if deliveries or monotonic() >= deadline:
                break
        if deliveries:
            self._last_tag = deliveries[-1].tag
            if not (self._is_fixed or self._is_changing):
                self._fit_prefetch(deliveries)
        self._connection.heartbeat_tick()
        return deliveries

    def take_in(self) -> None:
        """Have what was sent here, not in the network's buffers, to be read later: at most what the prefetch allows.

        RabbitMQ closes a connection that takes nothing in for 15 seconds (its send_timeout), or is silent for longer.
        """
        while self._reader.held_bytes < PREFETCH_BYTES and self._reader.receive(0):
            pass
        self._connection.heartbeat_tick()

    def acknowledge(self, tags: Iterable[int]) -> None:
        """Tell the broker that these deliveries are done with."""
        due = self.outstanding.done(tags)
        if due.up_to is not None:
            self._channel.basic_ack(due.up_to, multiple=True)
        for tag in due.single:
            self._channel.basic_ack(tag)
        self._connection.heartbeat_tick()

    def close(self) -> None:
        """Say goodbye, so that what was acknowledged is handled, and let go. Never raises."""
        with suppress(Exception):
            say_goodbye(self._connection)
            deadline = monotonic() + CLOSE_TIMEOUT_S
            while self._connection.connected and (left_s := deadline - monotonic()) > 0:
                self._reader.read(self._max_prefetch, BATCH_BYTES, left_s, 0)
        with suppress(Exception):
            self._connection.collect()

    def _fit_prefetch(self, deliveries: list[Delivery]) -> None:
        if self._seen > 1000:  # what was long ago weighs less
            self._seen //= 2
            self._seen_bytes //= 2
        self._seen += len(deliveries)
        self._seen_bytes += sum(len(delivery.body) for delivery in deliveries)
        fitting = min(self._max_prefetch, max(1, PREFETCH_BYTES * self._seen // max(1, self._seen_bytes)))
        # A delivery that is under way to a consumer while it is cancelled goes back to the queue, out of its order. So
        # the prefetch grows when it is used up, which is when it is felt, and when nothing can be under way.
        is_used_up = self._last_tag - self.outstanding.count >= self.prefetch
        if fitting < self.prefetch // 2 or (fitting > self.prefetch and is_used_up):
            self.prefetch = fitting
            self._is_changing = True
            self._channel.send_method(spec.Basic.Cancel, "sb", (self._name, False))

    def _begin_next(self) -> None:
        if self._name in self._channel.callbacks:  # py-amqp forgets it when the broker confirms
            return
        self._is_changing = False
        # Without waiting for answers, which would be read by py-amqp.
        self._channel.send_method(spec.Basic.Qos, "lBb", (0, self.prefetch, False))
        self._channel.basic_consume(
            self._queue, consumer_tag=self._next_name(), nowait=True, callback=_not_called
        )

    def _next_name(self) -> str:
        self._consumers += 1
        self._name = f"eventhub-{self._consumers}"
        return self._name


def _not_called(message: Any) -> None:
    raise AssertionError("deliveries are taken by the reader")
