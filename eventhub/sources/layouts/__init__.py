"""The form of each kind of broker: one module a broker, listed here in the order in which they are offered."""

from eventhub.brokers.models import Kind
from eventhub.sources.layout import Layout
from eventhub.sources.layouts.http import HTTP
from eventhub.sources.layouts.kafka import KAFKA
from eventhub.sources.layouts.outbox import OUTBOX
from eventhub.sources.layouts.rabbitmq import RABBITMQ
from eventhub.sources.layouts.redis import REDIS
from eventhub.sources.layouts.sqs import SQS

__all__ = ["LAYOUTS"]

LAYOUTS: dict[str, Layout] = {
    Kind.KAFKA: KAFKA,
    Kind.RABBITMQ: RABBITMQ,
    Kind.SQS: SQS,
    Kind.REDIS: REDIS,
    Kind.OUTBOX: OUTBOX,
    Kind.HTTP: HTTP,
}
