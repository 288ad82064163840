import time
from collections.abc import Iterable
from itertools import islice

import kombu

from eventhub.brokers.adapter import Refused, open_adapter
from eventhub.brokers.models import Source
from eventhub.brokers.rabbitmq.tap import Tap
from eventhub.events.message import OutgoingMessage
from tests.services.rabbitmq import RabbitServer

EXCHANGE, QUEUE = "chaos", "chaos-orders"
AT_ONCE = 5_000


class RabbitmqInChaos:
    """A topic exchange on a RabbitMQ of the test's own, and the queue of a tap on it, which is there from the start."""

    kind = "rabbitmq"

    def __init__(self, server: RabbitServer, queue_type: str) -> None:
        self.server = server
        self.config = {
            "url": server.address.url,
            "exchange": EXCHANGE,
            "queue": QUEUE,
            "queue_type": queue_type,
        }
        with kombu.Connection(server.address.url) as connection:
            connection.default_channel.exchange_declare(EXCHANGE, "topic", durable=True, auto_delete=False)
        tap = Tap(Source(name="chaos", kind="rabbitmq", config=self.config), "filler")
        with tap.connected("preparing") as connection:
            tap.declare(connection)

    def fill(self, bodies: Iterable[bytes]) -> None:
        place = {"exchange": EXCHANGE, "routing_key": "order.placed"}
        filler = open_adapter(Source(name="chaos", kind="rabbitmq", config=self.config), "filler")
        bodies = iter(bodies)
        while part := [OutgoingMessage(body, "", properties=place) for body in islice(bodies, AT_ONCE)]:
            # A queue that is still starting after a restart takes nothing, and its messages come back: send them again.
            for _ in range(60):
                try:
                    filler.publish(part)
                    break
                except Refused as refused:
                    part = [part[index] for index in sorted(refused.reasons)]
                    time.sleep(0.5)
            else:
                raise AssertionError("the broker takes no messages")
        filler.close()

    def restart(self) -> None:
        self.server.restart()

    def left(self) -> int:
        """How many messages the queue still holds."""
        with kombu.Connection(self.server.address.url) as connection:
            return connection.default_channel.queue_declare(QUEUE, passive=True).message_count
