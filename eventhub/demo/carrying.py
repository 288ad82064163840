"""Carries messages between the shop's Redis and the brokers on which some of its topics live.

A service commits what it tells to Redis, together with its acknowledgement; for a topic that lives elsewhere, Redis is
only its outbox (``shop.orders.out``). From there a message goes to the broker, which confirms it, and what the broker
hands to the services' group comes back as the stream that they read. A crash anywhere means that something is carried
twice, and that harms nothing: services skip what they have done, and EventHub stores an event once.
"""

import logging
from collections.abc import Callable, Sequence
from threading import Event as Signal
from threading import Thread
from typing import Any

import msgspec
import redis
from django.db import connections

from eventhub.brokers.adapter import Adapter, BrokerError, Refused, open_adapter
from eventhub.demo.bus import OUTBOX
from eventhub.demo.elsewhere import Elsewhere
from eventhub.demo.envelope import Unreadable, read
from eventhub.events.message import OutgoingMessage

log = logging.getLogger(__name__)

GROUP, CONSUMER = "carrier", "carrier-1"
# Marks what happened before the shop opened: EventHub sees it, the services have done it long ago.
FROM_THE_PAST = "shop-past"
AT_ONCE = 500
WAIT_S = 1.0
# After a broker or Redis was away: the pause doubles up to this.
LONGEST_PAUSE_S = 10.0


class Carriers:
    """The ways to all brokers and back, each in a thread of its own; `redis_url` is the shop's Redis."""

    def __init__(self, brokers: Sequence[Elsewhere], redis_url: str) -> None:
        self._redis_url = redis_url
        self._stop = Signal()
        ways = [("to", broker, _carry_out) for broker in brokers]
        ways += [("from", broker, _carry_back) for broker in brokers if broker.is_read_by_services]
        self._threads = [
            Thread(target=self._carry_forever, args=way, name=f"carry {way[0]} {way[1].name}", daemon=True)
            for way in ways
        ]

    def start(self) -> None:
        """Begin to carry."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End within a second or two; what is under way is carried again at the next start."""
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * WAIT_S + 1)

    def _carry_forever(self, way: str, broker: Elsewhere, carry: "Carry") -> None:
        pause_s = 0.5
        while not self._stop.is_set():
            client: Any = redis.Redis.from_url(self._redis_url, protocol=2, socket_timeout=10)
            try:
                broker.prepare()
                adapter = open_adapter(broker.services_source(), "shop")
                try:
                    pause_s = 0.5
                    carry(broker, adapter, client, self._stop)
                finally:
                    adapter.close()
            except (BrokerError, redis.RedisError, OSError) as error:
                log.warning("Nothing is carried %s %s: %s", way, broker.name, error)
                self._stop.wait(pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
            finally:
                client.close()
        connections.close_all()


Carry = Callable[[Elsewhere, Adapter, Any, Signal], None]


class Waiting(msgspec.Struct, frozen=True):
    """An entry of an outbox stream."""

    stream: str
    entry_id: bytes
    message: OutgoingMessage


def _carry_out(broker: Elsewhere, adapter: Adapter, client: Any, stop: Signal) -> None:
    """From the outbox streams to the broker, until `stop`. An entry is deleted when the broker has confirmed it."""
    streams = {OUTBOX.format(topic): topic for topic in broker.topics}
    for stream in streams:
        try:
            client.xgroup_create(stream, GROUP, id="0", mkstream=True)
        except redis.ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise
    begin = "0"  # with what was read before the last crash and not confirmed
    while not stop.is_set():
        reply = client.xreadgroup(
            GROUP, CONSUMER, dict.fromkeys(streams, begin), count=AT_ONCE, block=int(WAIT_S * 1000)
        )
        waiting = [
            Waiting(name.decode(), entry_id, _outgoing(broker, streams[name.decode()], fields))
            for name, entries in reply
            for entry_id, fields in entries
            if fields
        ]
        if not waiting:
            begin = ">"
            continue
        try:
            adapter.publish([one.message for one in waiting])
        except Refused as error:
            # Only what is broken on purpose: SQS, for one, takes nothing but text.
            log.info("%s does not take %d messages of the shop: %s", broker.name, len(error.reasons), error)
        with client.pipeline(transaction=True) as pipeline:
            for stream in streams:
                if ids := [one.entry_id for one in waiting if one.stream == stream]:
                    pipeline.xack(stream, GROUP, *ids)
                    pipeline.xdel(stream, *ids)
            pipeline.execute()


def _carry_back(broker: Elsewhere, adapter: Adapter, client: Any, stop: Signal) -> None:
    """From the broker to the streams that the services read, until `stop`."""
    while not stop.is_set():
        messages = adapter.poll(AT_ONCE, WAIT_S)
        if not messages:
            continue
        with client.pipeline(transaction=True) as pipeline:
            for message in messages:
                topic = broker.topic_of(message)
                if topic is not None and FROM_THE_PAST not in message.headers:
                    pipeline.xadd(topic, {"body": message.body, **message.headers})
            pipeline.execute()
        adapter.acknowledge(messages)


def _outgoing(broker: Elsewhere, topic: str, fields: dict[bytes, bytes]) -> OutgoingMessage:
    body = fields.get(b"body", b"")
    headers = {name.decode(): value.decode() for name, value in fields.items() if name != b"body"}
    return broker.outgoing(topic, body, headers, _key(body, headers))


def _key(body: bytes, headers: dict[str, str]) -> str | None:
    """What keeps the events of one order together and in order."""
    try:
        event = read(body, headers)
    except Unreadable:
        return None
    return event.stream or event.correlation_id
