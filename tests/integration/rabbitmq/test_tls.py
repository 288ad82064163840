import pytest

from eventhub.brokers.adapter import BrokerError
from eventhub.events.message import OutgoingMessage
from tests.integration.rabbitmq.conftest import bodies, take


@pytest.fixture
def over_tls(rabbit, source):
    """Makes sources that reach RabbitMQ over TLS."""
    address = rabbit.address
    if address.tls_url is None or address.certificates is None:
        pytest.skip(
            "RABBITMQ_TLS_URL and RABBITMQ_CERTIFICATES are not set for the RabbitMQ of the environment"
        )
    rabbit.queue("work")

    def pem(name):
        return (address.certificates / name).read_text()

    def make(*files):
        named = {"ca.pem": "ca_certificate", "client.pem": "client_certificate", "client.key": "client_key"}
        url = address.tls_url.rstrip("/") + f"/{rabbit.virtual_host}"
        return source(url=url, queue="work", **{named[file]: pem(file) for file in files})

    return make


def test_both_sides_show_a_certificate(over_tls, reader):
    adapter = reader(over_tls("ca.pem", "client.pem", "client.key"))
    adapter.publish([OutgoingMessage(b"x" * 300_000, "work"), OutgoingMessage(b"1", "work")])
    taken = take(adapter, 2)
    adapter.acknowledge(taken)
    assert bodies(taken) == [b"x" * 300_000, b"1"]
    assert adapter.poll(1, 0.2) == []


def test_a_server_that_is_not_trusted_is_named(over_tls, reader):
    with pytest.raises(BrokerError, match="is not trusted"):
        reader(over_tls()).lag()


def test_a_missing_client_certificate_is_said(over_tls, reader):
    with pytest.raises(BrokerError, match=r"TLS with|broke"):
        reader(over_tls("ca.pem")).lag()


def test_a_certificate_that_is_none_is_said(over_tls, reader):
    broken = over_tls("ca.pem", "client.pem", "client.key")
    broken.config["ca_certificate"] = "no certificate"
    with pytest.raises(BrokerError, match="certificate"):
        reader(broken).lag()
