"""Publishing with the broker's confirmation, many messages under way at once."""

from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, NamedTuple

import amqp

from eventhub.brokers.rabbitmq import connection as connections
from eventhub.brokers.rabbitmq.frames import FrameReader, Returned, publication
from eventhub.brokers.rabbitmq.headers import NotEncodable
from eventhub.events.message import OutgoingMessage

# Written at once; what was confirmed is looked at in between.
WRITE_BYTES = 256 * 1024
# A message from this size on goes alone: should the broker take none of that size, it is known which one it was.
LARGE_BYTES = 1_000_000
CONFIRM_TIMEOUT_S = 30.0


class Routed(NamedTuple):
    """A message and where it goes."""

    exchange: str
    routing_key: str
    message: OutgoingMessage


class NotConfirmed(OSError):
    """The broker did not say in time what became of the messages."""


class Publisher:
    """Publishes over a connection of its own: a broker short of memory or disk stops reading from those that publish.

    Its methods raise amqp.AMQPError and OSError; then it cannot be told what is out, and it is of no more use.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self.used_at = monotonic()
        self._connect = connect
        self._connection: Any = None
        self._is_blocked = False
        # What was sent and not confirmed yet, by its number on the channel: 1, 2, 3, …
        self._under_way: dict[int, tuple[int, Routed, bytes]] = {}
        self._last_number = 0
        self._first_under_way = 1
        self._refused: dict[int, str] = {}
        self._open()

    def publish(self, messages: Sequence[Routed]) -> dict[int, str]:
        """Publish in this order; returns once the broker told of each, with its reasons for those it refused.

        The first message to an exchange goes alone, so that a missing exchange or permission is known to be the reason.
        """
        self._refused = {}
        known: set[str] = set()
        closed: dict[str, str] = {}
        waiting: list[bytes] = []
        size = 0
        for index, routed in enumerate(messages):
            if routed.exchange in closed:
                self._refused[index] = closed[routed.exchange]
                continue
            alone = routed.exchange not in known or len(routed.message.body) >= LARGE_BYTES
            if alone or size > WRITE_BYTES:
                self._write(waiting, wait=alone)
                waiting, size = [], 0
            try:
                frames = self._begin(index, routed)
            except NotEncodable as error:
                self._refused[index] = str(error)
                continue
            if not alone:
                waiting.append(frames)
                size += len(frames)
                continue
            try:
                self._write([frames], wait=True)
            except amqp.ChannelError as error:
                reason = connections.explain(error, "the broker")
                self._refused[index] = reason
                if isinstance(error, (amqp.NotFound, amqp.AccessRefused)):
                    closed[routed.exchange] = reason
                self._open()
            else:
                known.add(routed.exchange)
        self._write(waiting, wait=True)
        self.used_at = monotonic()
        return self._refused

    def close(self) -> None:
        """Let go of the connection. Never raises."""
        connections.close(self._connection)

    def _open(self) -> None:
        if self._connection is not None:
            self.close()
        self._connection = self._connect()
        self._connection.on_blocked = lambda _: self._note_blocked(True)
        self._connection.on_unblocked = lambda: self._note_blocked(False)
        channel = self._connection.channel()
        channel.confirm_select()
        channel.events["basic_ack"].add(lambda number, multiple: self._told(number, multiple, ""))
        channel.events["basic_nack"].add(
            lambda number, multiple: self._told(
                number, multiple, "RabbitMQ did not take it: a queue that it is for is full, or failed."
            )
        )
        self._channel_id = channel.channel_id
        self._reader = FrameReader(self._connection, self._channel_id)
        self._under_way.clear()
        self._last_number = 0
        self._first_under_way = 1

    def _begin(self, index: int, routed: Routed) -> bytes:
        frames, properties = publication(
            self._channel_id,
            *routed,
            user=self._connection.client.userid,
            frame_max=self._connection.frame_max,
        )
        self._last_number += 1
        self._under_way[self._last_number] = (index, routed, properties)
        return frames

    def _write(self, frames: list[bytes], *, wait: bool) -> None:
        """Send; with `wait`, until nothing is under way any more."""
        if frames:
            self._connection.transport.write(b"".join(frames))
        while self._reader.handle(0):
            pass
        while wait and self._under_way:
            if not self._reader.handle(CONFIRM_TIMEOUT_S):
                raise NotConfirmed(
                    "it is short of memory or disk and takes no messages"
                    if self._is_blocked
                    else f"it has confirmed nothing for {CONFIRM_TIMEOUT_S:.0f} s"
                )

    def _told(self, number: int, multiple: bool, refusal: str) -> None:
        """The broker confirms a message, or all up to it, or refuses them."""
        for returned in self._reader.returned:  # which came before
            self._note_returned(returned)
        self._reader.returned.clear()
        for told in range(self._first_under_way, number + 1) if multiple else (number,):
            if (sent := self._under_way.pop(told, None)) and refusal:
                self._refused.setdefault(sent[0], refusal)
        if multiple:
            self._first_under_way = number + 1

    def _note_returned(self, came: Returned) -> None:
        """Find which message it is: it carries no number, but messages come back in the order they were sent in."""
        index = self._find(came, came.properties)
        if index is None:  # a broker may write the properties in another way
            index = self._find(came, None)
        if index is not None:
            self._refused[index] = (
                f"It came back: nothing is bound to the exchange {came.exchange!r} for the routing key "
                f"{came.routing_key!r}."
                if came.exchange
                else f"It came back: there is no queue {came.routing_key!r}."
            )

    def _find(self, came: Returned, properties: bytes | None) -> int | None:
        place = (came.exchange, came.routing_key)
        for index, routed, sent in self._under_way.values():
            if (
                index not in self._refused
                and routed[:2] == place
                and properties in (None, sent)
                and routed.message.body == came.body
            ):
                return index
        return None

    def _note_blocked(self, is_blocked: bool) -> None:
        self._is_blocked = is_blocked
