"""What RabbitMQ tells without anything being read or sent: what waits, where a message would go, what is there.

Each question has a connection of its own for as long as it takes: over the one that reads, answers would stand behind
everything that is delivered.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import amqp
import msgspec

from eventhub.brokers.adapter import BadConfig, Lag, Place
from eventhub.brokers.rabbitmq.consuming import Consumer
from eventhub.brokers.rabbitmq.frames import Delivery
from eventhub.brokers.rabbitmq.management import Management, reaches
from eventhub.brokers.rabbitmq.stream import last_offset
from eventhub.brokers.rabbitmq.tap import Tap


def lag_of(tap: Tap) -> list[Lag]:
    """What waits in the tap's queue; with the management API, in every queue of its exchange. Raises BrokerError."""
    with tap.connected("asking") as connection:
        own = _own_lag(tap, connection)
    if not tap.config.management_url:
        return [own]
    now = datetime.now(UTC)
    management = Management(tap.config)
    if not tap.is_own:
        queues = [management.queue(tap.queue)]
    elif tap.config.bindings == ["#"] and management.exchange(tap.topic).type == "direct":
        raise BadConfig(
            f"The exchange {tap.topic!r} is a direct one, where '#' is a routing key like any other and stands for "
            "nothing else. Name the routing keys in 'bindings'."
        )
    else:
        queues = management.queues_bound_to(tap.topic)
    lags = {queue.name: queue.lag(tap.topic, now) for queue in queues}
    # The API's figures are seconds old; these are of now.
    lags[tap.queue] = msgspec.structs.replace(
        lags.get(tap.queue, own), messages=own.messages, consumers=own.consumers
    )
    return list(lags.values())


def everything(tap: Tap) -> list[Lag]:
    """What waits in every queue of the virtual host; AMQP alone tells of the tap's own. Raises BrokerError."""
    if not tap.config.management_url:
        return lag_of(tap)
    return Management(tap.config).all_queues(datetime.now(UTC))


def place_of(tap: Tap, exchange: str, key: str) -> Place:
    """What is there where a message for this exchange and routing key would go. Raises BrokerError."""
    with tap.connected("asking") as connection:
        try:
            if not exchange:
                found = connection.channel().queue_declare(key, passive=True)
                return Place(exists=True, readers=found.consumer_count)
            connection.channel().exchange_declare(exchange, "", passive=True)
        except amqp.NotFound:
            return Place(exists=False, readers=0, note="RabbitMQ would refuse it.")
    if not tap.config.management_url:
        return Place(exists=True)
    management = Management(tap.config)
    kind = management.exchange(exchange).type
    readers = [reaches(kind, binding, key) for binding in management.bindings(exchange)]
    if None in readers:
        return Place(exists=True)
    note = "" if any(readers) else f"Nothing is bound to it for the routing key {key!r}: it would come back."
    return Place(exists=True, readers=sum(map(bool, readers)), note=note)


def peek(tap: Tap, max_messages: int, timeout_s: float) -> Sequence[Delivery]:
    """Some of what is there, or what comes in the meantime, the newest first. Raises BrokerError.

    A queue gives its oldest messages, and has them back at once. A tap whose own queue is empty, or not there yet, is
    shown what its exchange sends now, through a queue that lives as long as the question.
    """
    with tap.connected("peeking") as connection:
        if tap.is_own:
            tap.check_exchange(connection)
        queue, arguments = tap.queue, None
        if tap.is_own and not _is_filled(tap, connection):
            with connection.channel() as channel:
                queue = channel.queue_declare(exclusive=True).queue
                tap.bind(channel, queue)
        elif tap.is_stream:
            last = _end(tap)
            if last is None:
                return []
            arguments = {"x-stream-offset": max(0, last - max_messages + 1)}
        # What is not acknowledged goes back when the connection ends.
        consumer = Consumer(connection, queue, max_messages, arguments=arguments)
        found: list[Delivery] = []
        deadline = monotonic() + timeout_s
        while len(found) < max_messages and (left_s := deadline - monotonic()) > 0:
            # Those of a queue are there at once; those of an exchange may take their time.
            came = consumer.read(max_messages - len(found), left_s)
            found += came
            if queue == tap.queue:
                break
        consumer.close()
        return found[::-1]


def _own_lag(tap: Tap, connection: Any) -> Lag:
    if tap.is_own:
        tap.check_exchange(connection)
    try:
        found = connection.channel().queue_declare(tap.queue, passive=True)
    except amqp.NotFound:
        if not tap.is_own:
            raise
        return Lag(topic=tap.topic, group=tap.queue, messages=0, pending=0, consumers=0)
    if tap.is_stream:
        return _stream_lag(tap, found.consumer_count)
    return Lag(topic=tap.topic, group=tap.queue, messages=found.message_count, consumers=found.consumer_count)


def _stream_lag(tap: Tap, consumers: int) -> Lag:
    """How far the end of the stream is from what was stored; unknown when nothing was stored yet."""
    from eventhub.brokers.models import ReadPosition  # who only publishes has no such table

    read = ReadPosition.objects.filter(source_id=tap.source.pk, queue=tap.queue).first()
    if read is None:
        return Lag(topic=tap.topic, group=tap.queue, messages=None, consumers=consumers)
    last = _end(tap)
    return Lag(
        topic=tap.topic,
        group=tap.queue,
        messages=0 if last is None else max(0, last - read.offset),
        consumers=consumers,
        position=str(read.offset),
        end="" if last is None else str(last),
    )


def _end(tap: Tap) -> int | None:
    with tap.connected("asking") as connection:
        return last_offset(connection, tap.queue)


def _is_filled(tap: Tap, connection: Any) -> bool:
    """Whether the queue is there and has something to show."""
    try:
        found = connection.channel().queue_declare(tap.queue, passive=True)
    except amqp.NotFound:
        return False
    return tap.is_stream or found.message_count > 0
