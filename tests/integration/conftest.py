from collections.abc import Iterator

import pytest

from tests.integration.kafka_source import KafkaSource
from tests.integration.under_test import BROKERS, UnderTest
from tests.services.kafka import KafkaAddress


@pytest.fixture(params=BROKERS)
def broker(request: pytest.FixtureRequest) -> Iterator[UnderTest]:
    """Each broker in turn."""
    under_test = BROKERS[request.param](request)
    yield under_test
    under_test.tear_down()


@pytest.fixture
def shop(kafka: KafkaAddress) -> Iterator[KafkaSource]:
    """A source on Kafka, whose topic is yet to be made."""
    source = KafkaSource(kafka)
    yield source
    source.close()
