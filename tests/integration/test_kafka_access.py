"""Coming in to Kafka by every door, and being told in words why one may not."""

import time

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from eventhub.brokers.adapter import BadConfig, BrokerError
from eventhub.brokers.trying import try_connection
from tests.integration.kafka_source import bodies, take
from tests.services.kafka import PASSWORD, STRANGER, USER

# The connection test waits eight seconds; whoever knows what is wrong sooner says so sooner.
QUICK_S = 15.0


@pytest.fixture
def doors(shop):
    if not (shop.kafka.sasl and shop.kafka.tls and shop.kafka.sasl_tls and shop.kafka.certificates):
        pytest.skip("the Kafka named in the environment has no doors with SASL and TLS")
    shop.make()
    return shop


def pem(shop, name):
    return (shop.kafka.certificates / name).read_text()


def sasl(shop, mechanism="SCRAM-SHA-256", user=USER, password=PASSWORD):
    return {
        "bootstrap_servers": shop.kafka.sasl,
        "security": "sasl_plaintext",
        "sasl_mechanism": mechanism,
        "username": user,
        "password": password,
    }


def words(shop, **config):
    """What the connection test says; reading and publishing say the same."""
    started = time.monotonic()
    report = try_connection(shop.source(**config))
    assert time.monotonic() - started < QUICK_S
    assert not report.ok
    reader = shop.open(**config)
    with pytest.raises(BrokerError) as error:
        take(reader, 1, timeout_s=15)
    return f"{report.text} | {error.value}"


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_a_user_with_a_password_reads_and_is_told_what_waits(doors, mechanism):
    doors.put(b"1")
    config = sasl(doors, mechanism)
    report = try_connection(doors.source(**config))
    assert report.ok, report.text
    assert bodies(take(doors.open(**config), 1)) == [b"1"]


def test_tls_with_a_client_certificate(doors):
    doors.put(b"1")
    config = {
        "bootstrap_servers": doors.kafka.tls,
        "security": "ssl",
        "ca_certificate": pem(doors, "ca.pem"),
        "client_certificate": pem(doors, "client.pem"),
        "client_key": pem(doors, "client.key"),
    }
    assert bodies(take(doors.open(**config), 1)) == [b"1"]


def test_tls_with_a_user_and_a_password(doors):
    doors.put(b"1")
    config = {
        **sasl(doors),
        "bootstrap_servers": doors.kafka.sasl_tls,
        "security": "sasl_ssl",
        "ca_certificate": pem(doors, "ca.pem"),
    }
    assert bodies(take(doors.open(**config), 1)) == [b"1"]


def test_a_wrong_password_is_named_and_not_shown(doors):
    told = words(doors, **sasl(doors, password="not-the-password"))
    assert told.count("refused the authentication") == 2
    assert "not-the-password" not in told


def test_an_unknown_host_is_named(doors):
    # A name that no resolver needs to ask others about, which could take it longer than the test waits.
    host = f"{'no' * 40}.invalid"
    assert words(doors, bootstrap_servers=f"{host}:9092").count("Unknown host") == 2


def test_a_port_where_nobody_listens_is_named(doors):
    assert words(doors, bootstrap_servers="127.0.0.1:1").count("Connection refused") == 2


def test_a_certificate_that_is_not_trusted_is_named(doors):
    told = words(doors, bootstrap_servers=doors.kafka.tls, security="ssl")
    assert told.count("TLS failed") == 2
    assert "certificate verify failed" in told


def test_tls_to_a_port_without_and_the_other_way_round(doors):
    assert "TLS failed" in words(doors, security="ssl")
    assert "'security' says what the port speaks" in words(doors, bootstrap_servers=doors.kafka.tls)


def test_a_topic_that_is_not_there_is_named(doors):
    assert words(doors, topics=["no.such.topic"]).count("There is no topic 'no.such.topic'") == 2


def test_who_may_not_see_the_topic_is_told_so(doors):
    told = words(doors, **sasl(doors, user=STRANGER))
    assert f"Not authorised for the topic '{doors.topic}'" in told


def test_who_may_not_use_the_group_is_told_so(doors):
    acl = AclBinding(
        ResourceType.TOPIC,
        doors.topic,
        ResourcePatternType.LITERAL,
        f"User:{STRANGER}",
        "*",
        AclOperation.ALL,
        AclPermissionType.ALLOW,
    )
    for created in doors.admin.create_acls([acl]).values():
        created.result(20)
    told = words(doors, **sasl(doors, user=STRANGER))
    assert told.count("Not authorised for the consumer group") == 2


def test_what_is_missing_for_signing_in_is_named(doors):
    for name in ("sasl_mechanism", "username", "password"):
        config = {**sasl(doors)}
        del config[name]
        with pytest.raises(BadConfig, match=name):
            doors.open(**config).poll(1, 0)


def test_a_certificate_that_is_none_is_named(doors):
    config = {"bootstrap_servers": doors.kafka.tls, "security": "ssl", "ca_certificate": "what?"}
    with pytest.raises(BadConfig, match=r"ssl\.ca\.pem"):
        doors.open(**config).poll(1, 0)
