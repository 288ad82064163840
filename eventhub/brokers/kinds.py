from django.db import models


class Kind(models.TextChoices):
    """The brokers there are adapters for; `http` sources are written to, not polled."""

    KAFKA = "kafka", "Kafka"
    RABBITMQ = "rabbitmq", "RabbitMQ"
    SQS = "sqs", "Amazon SQS"
    REDIS = "redis", "Redis Streams"
    OUTBOX = "outbox", "PostgreSQL outbox"
    HTTP = "http", "HTTP API"


class Role(models.TextChoices):
    """What the messages of a source are."""

    EVENTS = "events", "events"
    DEAD_LETTERS = "dead_letters", "another service's dead letters"
