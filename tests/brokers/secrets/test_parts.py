"""Which pieces of a config are secret; out and back again."""

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.config import parse_config
from eventhub.brokers.secrets import parts

# As a person would set it: no control characters.
passwords = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("kind", "config", "plain", "secrets"),
    [
        ("kafka", {"password": "pw", "username": "ann"}, {"username": "ann"}, {"password": "pw"}),
        ("kafka", {"client_key": "-----BEGIN"}, {}, {"client_key": "-----BEGIN"}),
        (
            "kafka",
            {"settings": {"sasl.password": "pw", "ssl.key.pem": "k", "client.rack": "a"}},
            {"settings": {"client.rack": "a"}},
            {"settings.sasl.password": "pw", "settings.ssl.key.pem": "k"},
        ),
        (
            "kafka",
            {"registry_url": "https://ann:pw@registry:8081/x"},
            {"registry_url": "https://registry:8081/x", "registry_username": "ann"},
            {"registry_password": "pw"},
        ),
        ("redis", {"url": "redis://:p%40w@host:6379/0"}, {"url": "redis://host:6379/0"}, {"password": "p@w"}),
        ("redis", {"url": "redis://ann:pw@host"}, {"url": "redis://ann@host"}, {"password": "pw"}),
        (
            "redis",
            {"url": "redis://host/0?password=pw&x=1"},
            {"url": "redis://host/0?x=1"},
            {"password": "pw"},
        ),
        (
            "redis",
            {"url": "unix://:pw@/run/redis?db=1"},
            {"url": "unix:///run/redis?db=1"},
            {"password": "pw"},
        ),
        ("rabbitmq", {"url": "amqp://ann:pw@mq/shop"}, {"url": "amqp://ann@mq/shop"}, {"password": "pw"}),
        (
            "rabbitmq",
            {"management_url": "http://ann:pw@mq:15672"},
            {"management_url": "http://ann@mq:15672"},
            {"management_url.password": "pw"},
        ),
        (
            "sqs",
            {"access_key_id": "A", "secret_access_key": "S", "session_token": "T"},
            {"access_key_id": "A"},
            {"secret_access_key": "S", "session_token": "T"},
        ),
        ("redis", {"streams": ["a"], "url": "redis://host"}, {"streams": ["a"], "url": "redis://host"}, {}),
        ("kafka", {"password": None}, {}, {}),
        ("redis", ["no", "object"], ["no", "object"], {}),
        ("unknown", {"password": "pw"}, {"password": "pw"}, {}),
    ],
)
def test_secrets_are_taken_out_of_a_config(kind, config, plain, secrets):
    assert parts.take_out(kind, config) == (plain, secrets)


@pytest.mark.parametrize(
    "setting",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "ssl_key.pem",
        "sasl.jaas.config",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
    ],
)
def test_settings_of_librdkafka_that_hold_a_secret_are_known(setting):
    plain, secrets = parts.take_out("kafka", {"settings": {setting: "pw"}})
    assert plain == {"settings": {}}
    assert secrets == {f"settings.{setting}": "pw"}


@pytest.mark.parametrize(
    "setting", ["sasl.username", "ssl.key.location", "sasl.oauthbearer.token.endpoint.url", "fetch.min.bytes"]
)
def test_other_settings_stay_in_the_config(setting):
    assert parts.take_out("kafka", {"settings": {setting: "x"}}) == ({"settings": {setting: "x"}}, {})


@given(
    password=passwords, user=st.sampled_from(["", "ann"]), field=st.sampled_from(["url", "management_url"])
)
def test_the_password_of_an_address_comes_back_as_it_was(password, user, field):
    scheme = "amqp" if field == "url" else "http"
    address = f"{scheme}://{user}:{quote(password, safe='')}@mq:5672/shop"
    config = {"url": "amqp://mq/", "exchange": "orders"} | {field: address}
    plain, secrets = parts.take_out("rabbitmq", config)
    assert list(secrets.values()) == [password]
    whole = parts.put_back(plain, secrets)
    again = parts.take_out("rabbitmq", whole)
    assert again == (plain, secrets)
    parse_config("rabbitmq", whole)


@given(
    st.dictionaries(
        st.sampled_from(["ssl.keystore.password", "sasl.oauthbearer.client.secret", "client.rack"]), passwords
    ),
    st.one_of(st.none(), passwords),
)
def test_what_is_taken_out_of_a_kafka_config_can_be_put_back(settings, password):
    config = {"bootstrap_servers": "k:9092", "topics": ["a"], "settings": settings}
    config |= {"password": password} if password else {}
    plain, secrets = parts.take_out("kafka", config)
    assert parse_config("kafka", parts.put_back(plain, secrets)) == parse_config("kafka", config)


def test_the_secret_of_an_address_that_is_gone_is_not_used_any_more():
    secrets = {"management_url.password": "pw", "password": "pw2"}
    assert parts.still_used("rabbitmq", {"url": "amqp://mq"}, secrets) == {"password": "pw2"}
    assert parts.still_used("outbox", {}, secrets) == {}


def test_dots_stand_where_the_secrets_are():
    config = {"url": "amqp://ann@mq/", "management_url": "http://ann@mq:15672"}
    shown = parts.with_dots("rabbitmq", config, ["password", "management_url.password"])
    assert shown["password"] == parts.DOTS
    assert shown["management_url"] == f"http://ann:{parts.DOTS}@mq:15672"
    unsaved = {"settings": {"sasl.password": "pw"}}
    assert parts.with_dots("kafka", unsaved, []) == {"settings": {"sasl.password": parts.DOTS}}


@pytest.mark.parametrize(
    ("name", "change", "counts"),
    [
        ("password", {"bootstrap_servers": "elsewhere:9092"}, True),
        ("password", {"security": "sasl_plaintext"}, True),
        ("password", {"settings": {"bootstrap.servers": "elsewhere"}}, True),
        ("password", {"settings": {"enable.ssl.certificate.verification": False}}, True),
        ("password", {"settings": {"fetch.min.bytes": 1}}, False),
        ("password", {"topics": ["more"]}, False),
        ("password", {"registry_url": "http://elsewhere"}, False),
        ("registry_password", {"registry_url": "http://elsewhere"}, True),
        ("registry_password", {"bootstrap_servers": "elsewhere:9092"}, False),
    ],
)
def test_where_a_secret_is_sent_is_known(name, change, counts):
    config = {"bootstrap_servers": "k:9092", "security": "sasl_ssl", "topics": ["a"]}
    changed = parts.destination_of(name, config) != parts.destination_of(name, config | change)
    assert changed is counts
