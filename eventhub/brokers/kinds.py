from django.db import models


class Kind(models.TextChoices):
    """The brokers there are adapters for; `http` sources are written to, not polled.

    Nothing is read from the one source of kind `handlers`: it stands for the code that EventHub calls itself.
    """

    KAFKA = "kafka", "Kafka"
    RABBITMQ = "rabbitmq", "RabbitMQ"
    SQS = "sqs", "Amazon SQS"
    REDIS = "redis", "Redis Streams"
    OUTBOX = "outbox", "PostgreSQL outbox"
    HTTP = "http", "HTTP API"
    HANDLERS = "handlers", "EventHub's handlers"


# The icon that stands for each, on every page; its name stands beside it.
GLYPHS = {
    Kind.KAFKA: "topology-star-3",
    Kind.RABBITMQ: "arrows-split",
    Kind.SQS: "stack-2",
    Kind.REDIS: "layers-linked",
    Kind.OUTBOX: "database",
    Kind.HTTP: "api",
    Kind.HANDLERS: "code",
}


class Role(models.TextChoices):
    """What the messages of a source are."""

    EVENTS = "events", "events"
    DEAD_LETTERS = "dead_letters", "another service's dead letters"
