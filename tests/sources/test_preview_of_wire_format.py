import pytest

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.models import Kind, Source
from eventhub.events.mapping import suggest
from eventhub.events.message import Message
from eventhub.sources.preview import opened, readings

pytestmark = pytest.mark.django_db
ORDER = """{"type": "record", "name": "Order", "fields": [
    {"name": "eventType", "type": "string"}, {"name": "uuid", "type": "string"}
]}"""


def kafka(registry_url):
    config = {"bootstrap_servers": "127.0.0.1:1", "topics": ["orders"], "registry_url": registry_url}
    return Source(name="shop", kind=Kind.KAFKA, config=config)


def messages():
    return [
        Message(b"\x00\x00\x00\x00\x01\x08paid\x06u-%d" % n, "orders", str(n), f"k/{n}") for n in range(2)
    ]


def test_a_mapping_is_suggested_from_what_the_schema_says(registry):
    registry.register("orders-value", ORDER)
    seen = opened(kafka(registry.url), messages())
    assert seen[0].body == b'{"eventType":"paid","uuid":"u-0"}'
    assert suggest(seen).value == {"event_type": "body.eventType", "event_id": "body.uuid"}


def test_what_cannot_be_opened_is_seen_as_it_came_and_the_rest_is_opened(registry):
    registry.register("orders-value", ORDER)
    broken = Message(b"\x00\x00\x00\x00\x09x", "orders", "9", "k/9")
    seen = opened(kafka(registry.url), [broken, *messages()])
    assert (seen[0], seen[1].body) == (broken, b'{"eventType":"paid","uuid":"u-0"}')


def test_a_registry_that_is_down_is_told_in_its_own_words(registry):
    source = kafka(registry.url)
    registry.stop()
    with pytest.raises(BrokerError, match=r"The schema registry at .* cannot be reached"):
        readings(source, messages())
    with pytest.raises(BrokerError, match=r"The schema registry at .* cannot be reached"):
        opened(source, messages())
