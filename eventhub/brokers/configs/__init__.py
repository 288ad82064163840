"""What each kind of broker needs to know: one module a broker, listed here.

A kind's config is a frozen Struct; its fields' descriptions are the help that the admin shows and the words that a
mistake is answered with. `Secret` fields are never shown again once they are saved.
"""

from eventhub.brokers.configs.http import HttpConfig
from eventhub.brokers.configs.kafka import KafkaConfig
from eventhub.brokers.configs.outbox import OutboxConfig
from eventhub.brokers.configs.rabbitmq import RabbitmqConfig
from eventhub.brokers.configs.redis import RedisConfig
from eventhub.brokers.configs.sqs import SqsConfig
from eventhub.brokers.kinds import Kind

__all__ = [
    "CONFIGS",
    "EXAMPLES",
    "Config",
    "HttpConfig",
    "KafkaConfig",
    "OutboxConfig",
    "RabbitmqConfig",
    "RedisConfig",
    "SqsConfig",
]

Config = RedisConfig | KafkaConfig | RabbitmqConfig | SqsConfig | OutboxConfig | HttpConfig

CONFIGS: dict[str, type[Config]] = {
    Kind.REDIS: RedisConfig,
    Kind.KAFKA: KafkaConfig,
    Kind.RABBITMQ: RabbitmqConfig,
    Kind.SQS: SqsConfig,
    Kind.OUTBOX: OutboxConfig,
    Kind.HTTP: HttpConfig,
}
EXAMPLES: dict[str, Config] = {
    Kind.REDIS: RedisConfig(streams=["orders", "payments"], group="eventhub", start="0"),
    Kind.KAFKA: KafkaConfig(bootstrap_servers="kafka:9092", topics=["orders", "payments"]),
    Kind.RABBITMQ: RabbitmqConfig(
        url="amqp://eventhub@rabbitmq:5672/", exchange="orders", bindings=["order.#"]
    ),
    Kind.SQS: SqsConfig(queues=["orders"], region="eu-central-1"),
    Kind.OUTBOX: OutboxConfig(topics=["orders"]),
    Kind.HTTP: HttpConfig(),
}
