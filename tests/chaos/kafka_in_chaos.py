from collections.abc import Iterable

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from tests.integration.under_test import make_topic
from tests.services.kafka import KafkaServer

TOPIC = "chaos.orders"


class KafkaInChaos:
    """A topic of four partitions on a Kafka of the test's own."""

    kind = "kafka"

    def __init__(self, server: KafkaServer) -> None:
        self.server = server
        servers = server.address.bootstrap_servers
        self.config = {"bootstrap_servers": servers, "topics": [TOPIC]}
        make_topic(AdminClient({"bootstrap.servers": servers}), TOPIC, partitions=4)

    def fill(self, bodies: Iterable[bytes]) -> None:
        failures: list[object] = []
        producer = Producer(
            {
                "bootstrap.servers": self.server.address.bootstrap_servers,
                "enable.idempotence": True,
                "linger.ms": 20,
                "compression.type": "lz4",
            }
        )
        for number, body in enumerate(bodies):
            while True:
                try:
                    producer.produce(
                        TOPIC, body, on_delivery=lambda error, _: error and failures.append(error)
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            if number % 1000 == 0:
                producer.poll(0)
        assert producer.flush(60) == 0
        assert not failures

    def restart(self) -> None:
        self.server.restart()
