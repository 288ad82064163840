import pytest

from eventhub.brokers.adapter import BadConfig
from eventhub.brokers.config import (
    CONFIGS,
    OutboxConfig,
    RedisConfig,
    describe,
    example,
    parse_config,
    read_config,
)
from eventhub.brokers.configs.kafka import REFUSED
from eventhub.brokers.models import Kind, Source


def test_what_is_left_out_has_its_default():
    assert parse_config("redis", {"streams": ["a"]}) == RedisConfig(["a"], "eventhub", None, None, "0")
    assert parse_config("outbox", {}) == OutboxConfig([])


@pytest.mark.parametrize(
    ("kind", "config", "words"),
    [
        ("redis", {}, ["'streams'", "list of stream names"]),
        ("redis", {"streams": []}, ["'streams'", "list of stream names"]),
        ("redis", {"streams": "orders"}, ["'streams'", "list of stream names"]),
        ("redis", {"streams": [""]}, ["'streams'"]),
        ("redis", {"streams": ["a"], "start": "tomorrow"}, ["'start'", "everything there is"]),
        ("redis", {"streams": ["a"], "url": "http://redis"}, ["'url'", "redis://"]),
        ("redis", {"strems": ["a"]}, ["unknown key 'strems'", "streams"]),
        ("redis", ["a"], ["JSON object", "streams"]),
        ("outbox", {"topics": "all"}, ["'topics'", "all of them"]),
        ("http", {"port": 80}, ["unknown key 'port'", "leave it {}"]),
        ("kafka", {"bootstrap_servers": "k"}, ["topics or a pattern"]),
        ("kafka", {"bootstrap_servers": "k", "topics": ["a"], "pattern": "a.*"}, ["not both"]),
        ("kafka", {"bootstrap_servers": "k", "pattern": "*.orders"}, ["'pattern'", "regular expression"]),
        ("kafka", {"bootstrap_servers": "k", "topics": ["__consumer_offsets"]}, ["bookkeeping"]),
        ("kafka", {"bootstrap_servers": "k", "topics": ["a"], "start": "now"}, ["'start'", "latest"]),
        ("kafka", {"topics": ["a"]}, ["'bootstrap_servers'", "kafka-1:9092"]),
        ("kafak", {}, ["Unknown kind of source 'kafak'", "redis"]),
    ],
)
def test_a_mistake_is_named_with_its_key_and_what_it_should_hold(kind, config, words):
    with pytest.raises(BadConfig) as error:
        parse_config(kind, config)
    for word in words:
        assert word in str(error.value)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_setting_of_librdkafka_that_would_break_a_promise_is_refused_with_the_reason(name):
    with pytest.raises(BadConfig) as error:
        parse_config("kafka", {"bootstrap_servers": "k", "topics": ["a"], "settings": {name: "x"}})
    assert name in str(error.value)
    assert REFUSED[name] in str(error.value)


def test_a_source_of_another_kind_is_not_read_as_this_one():
    with pytest.raises(BadConfig, match="outbox"):
        read_config(Source(name="o", kind=Kind.OUTBOX), RedisConfig)


@pytest.mark.parametrize("kind", list(CONFIGS))
def test_every_kind_has_an_example_that_is_valid_and_a_meaning_for_each_key(kind):
    import json

    parse_config(kind, json.loads(example(kind)))
    assert all(meaning for _, meaning, _ in describe(kind))
