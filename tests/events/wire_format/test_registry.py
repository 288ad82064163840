import socket

import pytest

from eventhub.events.envelope import Undecodable
from eventhub.events.reading import Reader
from eventhub.events.wire_format import Registry, RegistryError, WireFormat
from eventhub.events.wire_format import registry as client
from eventhub.events.wire_format.schema import Reference
from tests.events.wire_format.framed import UnwellRegistry, framed, framed_by_header, message, put
from tests.services.registry import RegistryServer


def opening(url, **credentials):
    return WireFormat(Registry(url, **credentials)).open(framed(1, b"\x02"))


@pytest.fixture
def unwell():
    server = UnwellRegistry().start()
    yield server
    server.stop()


@pytest.fixture
def quick(monkeypatch):
    """No waiting between the attempts."""
    monkeypatch.setattr(client, "RETRIES", client.RETRIES.new(backoff_factor=0))


def test_a_registry_that_is_down_is_no_fault_of_the_message(quick):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    with pytest.raises(RegistryError) as caught:
        opening(f"http://127.0.0.1:{port}")
    assert str(caught.value) == (
        f"The schema registry at http://127.0.0.1:{port} cannot be reached: Connection refused. Check that it runs, "
        "and its address; reading goes on when it answers."
    )


def test_a_host_that_is_not_known_is_said_to_be(quick):
    with pytest.raises(RegistryError, match="its host name is not known"):
        opening("http://registry.invalid:8081")


def test_a_registry_that_does_not_answer_in_time_is_given_up(unwell, monkeypatch, quick):
    unwell.delay_s = 1.0
    monkeypatch.setattr(client, "TIMEOUT", client.urllib3.Timeout(connect=0.2, read=0.1))
    with pytest.raises(RegistryError, match="does not answer in time"):
        opening(unwell.url)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_registry_that_is_unwell_is_asked_again_and_then_given_up_for_now(unwell, quick, status):
    unwell.status = status
    with pytest.raises(RegistryError, match=f"answers {status} for /schemas/ids/1: broken"):
        opening(unwell.url)
    assert len(unwell.requests) == 3


def test_what_was_not_found_for_a_failure_is_found_when_the_registry_is_well_again(unwell, quick):
    unwell.register("n-value", '"long"')
    wire_format = WireFormat(Registry(unwell.url))
    unwell.status = 503
    with pytest.raises(RegistryError):
        wire_format.open(framed(1, b"\x02"))
    unwell.status = None
    assert wire_format.open(framed(1, b"\x02")).body == b"1"


def test_a_schema_that_does_not_exist_is_the_fault_of_the_message(registry):
    with pytest.raises(Undecodable) as caught:
        opening(registry.url)
    assert caught.value.kind == "UnknownSchema"
    assert caught.value.reason == (
        f"The message was written with schema 1, and the registry at {registry.url} has none at /schemas/ids/1."
    )


def test_a_schema_whose_reference_is_missing_names_it(registry):
    put(registry, "a", '"B"', "AVRO", ("B", "b/1", 3))
    with pytest.raises(Undecodable, match="/subjects/b%2F1/versions/3"):
        opening(registry.url)


def test_what_is_missing_is_not_asked_for_with_each_message_and_found_later(registry, monkeypatch):
    wire_format = WireFormat(Registry(registry.url))
    for _ in range(5):
        with pytest.raises(Undecodable):
            wire_format.open(framed(1, b"\x02"))
    assert len(registry.requests) == 1
    registry.register("n-value", '"long"')
    now = client.monotonic()
    monkeypatch.setattr(client, "monotonic", lambda: now + client.MISSING_FOR_S + 1)
    assert wire_format.open(framed(1, b"\x02")).body == b"1"


def test_an_address_that_leads_elsewhere_does_not_make_dead_letters(registry):
    registry.register("n-value", '"long"')
    with pytest.raises(RegistryError, match="answers 404"):
        opening(f"{registry.url}/elsewhere")


def test_an_answer_that_is_no_schema_does_not_make_dead_letters(registry):
    with pytest.raises(RegistryError, match="is no schema registry"):
        Registry(f"{registry.url}/subjects?x=").schema(1)


def test_signing_in_is_basic_and_a_wrong_password_is_said_to_be():
    server = RegistryServer(user="eventhub", password="s3cret").start()
    try:
        server.register("n-value", '"long"')
        assert opening(server.url, username="eventhub", password="s3cret").body == b"1"
        with pytest.raises(RegistryError, match="registry_username and registry_password"):
            opening(server.url, username="eventhub", password="wrong")
    finally:
        server.stop()


def test_a_password_in_the_address_is_never_said(quick):
    with pytest.raises(RegistryError) as caught:
        opening("http://me:s3cret@127.0.0.1:1/base/")
    assert "s3cret" not in str(caught.value)
    assert "http://127.0.0.1:1/base" in str(caught.value)


def test_references_are_collected_through_all_levels_each_once_what_is_used_first(registry):
    registry.register("c", '"long"')
    registry.register("b", '"string"', references=[("C", "c", 1)])
    used = [("B", "b", 1), ("C", "c", 1)]
    registry.register("a", '"int"', references=used)
    asked = Registry(registry.url)
    assert list(asked.dependencies(asked.schema(3))) == ["C", "B"]
    assert asked.version(Reference("B", "b", 1)).text == '"string"'
    assert len(registry.requests) == 3


def test_json_with_a_schema_is_the_json_and_an_event_like_any_other(registry):
    registry.register("orders-value", '{"type": "object"}', "JSON")
    reader = Reader(wire_format=WireFormat(Registry(registry.url)))
    body = b'{"event_type": "order.placed", "data": {"total": 12.50}}'
    event = reader.read(framed(1, body))
    assert (event.event_type, event.data) == ("order.placed", '{"total": 12.50}')
    assert reader.read(framed_by_header(registry.store.schemas[1].guid, body)) == event
    assert reader.read(message(body)) == event
    with pytest.raises(Undecodable, match="not JSON"):
        reader.read(framed(1, b"{"))


def test_a_mapping_sees_what_was_opened(registry):
    from eventhub.events.mapping import parse

    registry.register(
        "n-value", '{"type": "record", "name": "R", "fields": [{"name": "kind", "type": "string"}]}'
    )
    reader = Reader(parse({"event_type": "body.kind"}), WireFormat(Registry(registry.url)))
    assert reader.read(framed(1, b"\x08paid")).event_type == "paid"


def test_a_binary_cloudevent_may_carry_wire_format(registry):
    registry.register("n-value", '{"type": "record", "name": "R", "fields": [{"name": "n", "type": "long"}]}')
    headers = {
        "ce_specversion": "1.0",
        "ce_id": "1",
        "ce_source": "/shop",
        "ce_type": "order.placed",
        "content-type": "application/avro",
    }
    event = Reader(wire_format=WireFormat(Registry(registry.url))).read(
        message(b"\x00\x00\x00\x00\x01\x02", headers=headers)
    )
    assert (event.event_type, event.data) == ("order.placed", '{"n":1}')


def test_wire_format_without_a_registry_says_what_to_give(registry):
    with pytest.raises(Undecodable, match=r"names schema 1\. Give the source .*registry_url"):
        Reader().read(framed(1, b"\x02"))


def test_a_header_that_names_no_schema_is_refused(registry):
    reader = Reader(wire_format=WireFormat(Registry(registry.url)))
    with pytest.raises(Undecodable, match="byte 1 and a schema's GUID") as caught:
        reader.read(message(b"{}", headers={"__value_schema_id": "seven"}))
    assert caught.value.kind == "BadFrame"
