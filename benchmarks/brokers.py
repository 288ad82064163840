"""The brokers that benchmarks read from: named in the environment, left running by `make services-up`, or their own."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from tests.services.elasticmq import ElasticMQServer, SqsAddress
from tests.services.kafka import KafkaAddress, KafkaServer
from tests.services.rabbitmq import RabbitAddress, RabbitServer
from tests.services.server import A, Server
from tests.services.shared import shared_folder


@contextmanager
def kafka(folder: Path) -> Iterator[KafkaAddress]:
    """A Kafka."""
    with _one("kafka", KafkaServer, folder) as address:
        yield address


@contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitAddress]:
    """A RabbitMQ."""
    with _one("rabbitmq", RabbitServer, folder) as address:
        yield address


@contextmanager
def sqs(folder: Path) -> Iterator[SqsAddress]:
    """A server that speaks SQS."""
    with _one("elasticmq", ElasticMQServer, folder) as address:
        yield address


def new_name(what: str) -> str:
    """A name for a topic or queue that nobody has."""
    return f"bench-{what}-{uuid4().hex[:8]}"


@contextmanager
def _one(name: str, kind: type[Server[A]], folder: Path) -> Iterator[A]:
    if (named := kind.named_in_environment()) is not None:
        yield named
    elif (shared := kind(shared_folder() / name)).is_running():
        yield shared.address
    else:
        server = kind(folder / name)
        try:
            yield server.start().address
        finally:
            server.kill()
