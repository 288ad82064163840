"""Kafka, RabbitMQ, SQS and a schema registry for the test run, as fixtures (a pytest plugin).

A broker is the one named in the environment, else the one that `make services-up` left running, else one of the run's
own, started when the first test of any of its processes asks for it and gone with the run. Tests that restart or kill
a broker take one for themselves: `own_kafka`, `own_rabbitmq`, `own_sqs`.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.services.elasticmq import ElasticMQServer, SqsAddress
from tests.services.embedded import RUN_DIR
from tests.services.kafka import KafkaAddress, KafkaServer
from tests.services.rabbitmq import RabbitAddress, RabbitServer
from tests.services.registry import RegistryServer
from tests.services.server import A, Server, Unavailable
from tests.services.shared import one_at_a_time, shared_folder

S = TypeVar("S", bound=Server[Any])
FIXTURES = {"kafka", "rabbitmq", "sqs", "own_kafka", "own_rabbitmq", "own_sqs"}


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.integration)


@pytest.fixture(scope="session")
def kafka() -> Iterator[KafkaAddress]:
    """A Kafka for everybody: stop nothing, and name topics and groups so that nobody trips over them."""
    with _for_everybody("kafka", KafkaServer) as address:
        yield address


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitAddress]:
    """A RabbitMQ for everybody, with MQTT, STOMP and streams."""
    with _for_everybody("rabbitmq", RabbitServer) as address:
        yield address


@pytest.fixture(scope="session")
def sqs() -> Iterator[SqsAddress]:
    """A server that speaks SQS, for everybody."""
    with _for_everybody("elasticmq", ElasticMQServer) as address:
        yield address


@pytest.fixture
def own_kafka() -> Iterator[KafkaServer]:
    """A Kafka of this test's own, to be restarted and killed."""
    with own_server(KafkaServer) as server:
        yield server


@pytest.fixture
def own_rabbitmq() -> Iterator[RabbitServer]:
    """A RabbitMQ of this test's own, to be restarted and killed."""
    with own_server(RabbitServer) as server:
        yield server


@pytest.fixture
def own_sqs() -> Iterator[ElasticMQServer]:
    """A server that speaks SQS of this test's own, to be restarted and killed."""
    with own_server(ElasticMQServer) as server:
        yield server


@pytest.fixture
def registry() -> Iterator[RegistryServer]:
    """A schema registry of this test's own, empty."""
    server = RegistryServer().start()
    yield server
    server.stop()


@contextmanager
def _for_everybody(name: str, kind: type[Server[A]]) -> Iterator[A]:
    if (named := kind.named_in_environment()) is not None:
        yield named
    elif (shared := kind(shared_folder() / name)).is_running():
        yield shared.wait_until_ready().address
    else:
        run = Path(os.environ[RUN_DIR])
        with one_at_a_time(run):
            try:
                server = kind(run / name).start()
            except Unavailable as reason:
                pytest.skip(f"no {kind.name}: {reason}")
        yield server.address


@contextmanager
def own_server(kind: type[S]) -> Iterator[S]:
    # In the run's folder, where the next run finds it should this one be killed (tests/services/embedded.py).
    folder = Path(tempfile.mkdtemp(prefix=f"{kind.name}-", dir=os.environ["VAR_DIR"]))
    server = kind(folder)
    try:
        yield server.start()
    except Unavailable as reason:
        pytest.skip(f"no {kind.name}: {reason}")
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)
