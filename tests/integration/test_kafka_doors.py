"""The doors of the Kafka under test: who may come in by SASL and TLS, and who may not."""

import uuid

import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.services.kafka import PASSWORD, STRANGER, USER, KafkaAddress


@pytest.fixture
def doors(kafka: KafkaAddress) -> KafkaAddress:
    if not (kafka.sasl and kafka.tls and kafka.sasl_tls and kafka.certificates):
        pytest.skip("the Kafka named in the environment has no doors with SASL and TLS")
    return kafka


def login(user: str = USER, password: str = PASSWORD, mechanism: str = "SCRAM-SHA-256") -> dict[str, str]:
    return {"sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password}


def create_topic(config: dict[str, str]) -> str:
    """Raises KafkaException."""
    topic = f"doors-{uuid.uuid4()}"
    admin = AdminClient(config)
    admin.create_topics([NewTopic(topic, 1)], request_timeout=20)[topic].result(25)
    return topic


def errors_of(config: dict[str, str]) -> set[int]:
    """What the client says when it may not come in."""
    errors: set[int] = set()
    admin = AdminClient({**config, "error_cb": lambda error: errors.add(error.code())})
    with pytest.raises(KafkaException):
        admin.list_topics(timeout=5)
    admin.poll(1)
    return errors


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_user_with_a_password_comes_in(doors: KafkaAddress, mechanism: str) -> None:
    create_topic(
        {
            "bootstrap.servers": str(doors.sasl),
            "security.protocol": "SASL_PLAINTEXT",
            **login(mechanism=mechanism),
        }
    )


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256"])
def test_a_wrong_password_does_not(doors: KafkaAddress, mechanism: str) -> None:
    refused = login(password="wrong", mechanism=mechanism)
    config = {"bootstrap.servers": str(doors.sasl), "security.protocol": "SASL_PLAINTEXT", **refused}
    assert KafkaError._AUTHENTICATION in errors_of(config)


def test_a_stranger_comes_in_and_may_do_nothing(doors: KafkaAddress) -> None:
    config = {"bootstrap.servers": str(doors.sasl), "security.protocol": "SASL_PLAINTEXT", **login(STRANGER)}
    with pytest.raises(KafkaException) as refusal:
        create_topic(config)
    assert refusal.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


def test_tls_with_the_authority_known(doors: KafkaAddress) -> None:
    create_topic(
        {
            "bootstrap.servers": str(doors.tls),
            "security.protocol": "SSL",
            "ssl.ca.location": f"{doors.certificates}/ca.pem",
        }
    )


def test_tls_with_a_certificate_of_the_client(doors: KafkaAddress) -> None:
    create_topic(
        {
            "bootstrap.servers": str(doors.tls),
            "security.protocol": "SSL",
            "ssl.ca.location": f"{doors.certificates}/ca.pem",
            "ssl.certificate.location": f"{doors.certificates}/client.pem",
            "ssl.key.location": f"{doors.certificates}/client.key",
        }
    )


def test_tls_with_the_authority_unknown(doors: KafkaAddress) -> None:
    assert KafkaError._SSL in errors_of({"bootstrap.servers": str(doors.tls), "security.protocol": "SSL"})


def test_both_together(doors: KafkaAddress) -> None:
    create_topic(
        {
            "bootstrap.servers": str(doors.sasl_tls),
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": f"{doors.certificates}/ca.pem",
            **login(mechanism="SCRAM-SHA-512"),
        }
    )
