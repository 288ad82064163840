"""How brokers and frameworks write into a message's headers why it died: one module a format, listed here.

To add one: write a module with a class that has the four members of `Format`, and name it in `FRAMEWORKS` or `BROKERS`.
"""

from collections.abc import Iterable
from functools import lru_cache

from dlq.formats.celery import CeleryTask
from dlq.formats.dlq_headers import DlqHeaders
from dlq.formats.format import Death, Format, Origin
from dlq.formats.kafka_connect import KafkaConnect
from dlq.formats.kafka_streams import KafkaStreams
from dlq.formats.masstransit import MassTransit
from dlq.formats.nservicebus import NServiceBus
from dlq.formats.rabbitmq import RabbitMQDeaths
from dlq.formats.spring_amqp import SpringAmqp
from dlq.formats.spring_kafka import SpringKafka
from dlq.formats.sqs import SqsRedrive
from eventhub.events.message import Message

__all__ = ["BROKERS", "FORMATS", "FRAMEWORKS", "Death", "Format", "Origin", "read_death", "without_death"]

# What a service or its framework says of the failure. The first that recognises the message is asked.
FRAMEWORKS: tuple[Format, ...] = (
    DlqHeaders(),
    SpringKafka(),
    KafkaConnect(),
    KafkaStreams(),
    NServiceBus(),
    MassTransit(),
    SpringAmqp(),
    CeleryTask(),
)
# What a broker keeps by itself. It stands in for what the framework leaves out.
BROKERS: tuple[Format, ...] = (RabbitMQDeaths(), SqsRedrive())
FORMATS = (*FRAMEWORKS, *BROKERS)


def read_death(message: Message) -> Death:
    """The death of a message from a dead-letter queue, by whichever formats tell it. Never raises."""
    death = Death()
    for formats in (FRAMEWORKS, BROKERS):
        found = next((candidate for candidate in formats if candidate.recognises(message)), None)
        if found is not None:
            death = death.filled_from(found.read(message))
    return death


def without_death(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """`headers` without those that tell of a failure: what a message carries when it is sent again."""
    return [header for header in headers if not _tells_of_death(header[0])]


@lru_cache(maxsize=4096)
def _tells_of_death(name: str) -> bool:
    return any(candidate.owns(name.lower()) for candidate in FORMATS)
