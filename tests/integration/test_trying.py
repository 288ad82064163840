"""What a person is told who tries a connection that does not work: the word for it, on every broker."""

from urllib.parse import urlsplit

import pytest

from eventhub.brokers.models import Kind, Source
from eventhub.brokers.trying import Report, try_connection
from tests.integration.under_test import BROKERS
from tests.services.elasticmq import REGION
from tests.services.kafka import PASSWORD, STRANGER, USER, KafkaAddress

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def tried(kind: Kind, **config: object) -> Report:
    report = try_connection(Source(name="tried", kind=kind, config=config), timeout_s=30)
    if not report.ok:
        assert report.advice
        assert len(report.text) > 20
        assert str(config.get("password", "–")) not in report.text
    return report


def test_a_connection_that_works_is_said_to_work(broker):
    report = try_connection(broker.source, timeout_s=60)
    assert report.ok, report.text
    assert "The broker answered in" in report.text
    if broker.kind != Kind.REDIS:  # which makes a stream with its first message
        assert report.notes == ()


NOBODY = {name: cls for name, cls in BROKERS.items() if name not in ("sqs-fifo", "rabbitmq-quorum")}


@pytest.mark.parametrize("name", NOBODY)
def test_a_port_where_nobody_listens_refuses(name):
    kind, config = NOBODY[name].kind, complete(NOBODY[name].kind) | NOBODY[name].nobody
    assert tried(kind, **config).problem == "refused"


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        (Kind.KAFKA, {"bootstrap_servers": "no-such-host.invalid:9092"}),
        (Kind.RABBITMQ, {"url": "amqp://ann@no-such-host.invalid:5672/"}),
        (Kind.SQS, {"endpoint_url": "http://no-such-host.invalid:9324"}),
        (Kind.REDIS, {"url": "redis://no-such-host.invalid:6379/0"}),
    ],
)
def test_a_host_that_nobody_knows_is_unknown(kind, address):
    assert tried(kind, **(complete(kind) | address)).problem == "unknown host"


def complete(kind: Kind) -> dict[str, object]:
    """A config that lacks nothing."""
    return {
        Kind.KAFKA: {"bootstrap_servers": "127.0.0.1:1", "topics": ["orders"]},
        Kind.RABBITMQ: {"url": "amqp://127.0.0.1:1/", "queue": "orders"},
        Kind.SQS: {
            "queues": ["orders"],
            "endpoint_url": "http://127.0.0.1:1",
            "region": REGION,
            "access_key_id": "tests",
            "secret_access_key": "tests",
        },
        Kind.REDIS: {"streams": ["orders"]},
    }[kind]


def test_kafka_says_what_is_not_there_and_who_may_not(kafka: KafkaAddress):
    missing = tried(Kind.KAFKA, bootstrap_servers=kafka.bootstrap_servers, topics=["no-such-topic"])
    assert missing.problem == "not there"
    assert "no-such-topic" in missing.text
    if not (kafka.sasl and kafka.tls):
        pytest.skip("the Kafka named in the environment has no doors with SASL and TLS")
    sign_in = {
        "bootstrap_servers": kafka.sasl,
        "security": "sasl_plaintext",
        "sasl_mechanism": "SCRAM-SHA-256",
        "topics": ["orders"],
    }
    wrong = tried(Kind.KAFKA, **sign_in, username=USER, password="wrong-password")
    assert wrong.problem == "not authorised"
    stranger = tried(Kind.KAFKA, **sign_in, username=STRANGER, password=PASSWORD)
    assert stranger.problem == "not authorised"
    unknown = tried(Kind.KAFKA, bootstrap_servers=kafka.tls, security="ssl", topics=["orders"])
    assert unknown.problem == "not trusted"


def test_of_several_topics_those_that_are_not_there_are_named(kafka: KafkaAddress, request):
    broker = BROKERS["kafka"](request)
    try:
        config = broker.source.config | {"topics": [broker.topic, "no-such-topic"]}
        report = tried(Kind.KAFKA, **config)
        assert report.ok
        assert "no-such-topic is not there" in " ".join(report.notes)
    finally:
        broker.tear_down()


def test_rabbitmq_says_what_is_not_there_and_who_may_not(rabbitmq):
    url = urlsplit(rabbitmq.url)
    missing = tried(Kind.RABBITMQ, url=rabbitmq.url, queue="no-such-queue")
    assert missing.problem == "not there"
    assert "no-such-queue" in missing.text
    exchange = tried(Kind.RABBITMQ, url=rabbitmq.url, exchange="no-such-exchange")
    assert exchange.problem == "not there"
    wrong = f"amqp://{url.username}@{url.hostname}:{url.port}/"
    assert tried(Kind.RABBITMQ, url=wrong, password="wrong-password", queue="q").problem == "not authorised"
    elsewhere = tried(Kind.RABBITMQ, url=f"{rabbitmq.url.rstrip('/')}/no-such-host", queue="q")
    assert elsewhere.problem in ("not authorised", "not there")


def test_sqs_says_what_is_not_there(sqs):
    config = complete(Kind.SQS) | {"endpoint_url": sqs.endpoint_url, "queues": ["no-such-queue"]}
    missing = tried(Kind.SQS, **config)
    assert missing.problem == "not there"
    assert "no-such-queue" in missing.text
    profile = {"queues": ["orders"], "region": REGION, "profile": "no-such-profile"}
    assert tried(Kind.SQS, **profile).problem == "wrong settings"
