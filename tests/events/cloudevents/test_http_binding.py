"""The HTTP binding through ``POST /api/events``.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
"""

import json
from datetime import datetime
from urllib.parse import quote

import pytest
from django.test import Client

from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.events.models import Event
from tests.events.cloudevents.attributes import DATA, REQUIRED, ROWS, data_id

pytestmark = pytest.mark.django_db


@pytest.fixture
def post():
    client = Client(headers={"authorization": f"Bearer {create_token('shop', Scope.INGEST)}"})

    def send(body, content_type="application/json", **headers):
        # `client.post` would encode the body anew, by the charset.
        return client.generic("POST", "/api/events", body, headers=headers, CONTENT_TYPE=content_type)

    return send


def stored(response):
    assert response.status_code == 202, response.json()
    return Event.objects.get()


def headers_of(attributes):
    """As the binding encodes them: everything but printable ASCII, and space, quote and percent."""
    printable = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
    return {f"ce-{name}": quote(value, safe=printable) for name, value in attributes.items()}


def check(event, row):
    assert event.metadata[row.attribute] == row.text
    assert event.metadata.keys() - {"datacontenttype"} == REQUIRED.keys() | {row.attribute}
    if row.field:
        assert getattr(event, row.field) == row.expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_each_attribute_is_read_in_binary_mode(post, row):
    check(stored(post(b"{}", **headers_of(REQUIRED | {row.attribute: row.text}))), row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.id)
def test_each_attribute_is_read_in_structured_mode(post, row):
    value = row.text if row.in_json is None else row.in_json
    body = json.dumps(REQUIRED | {row.attribute: value}).encode()
    check(stored(post(body, "application/cloudevents+json; charset=UTF-8")), row)


@pytest.mark.parametrize(("content_type", "body", "data"), DATA, ids=data_id)
def test_the_content_type_is_the_datacontenttype_and_tells_what_the_data_is(post, content_type, body, data):
    event = stored(post(body, content_type, **headers_of(REQUIRED)))
    assert (event.data, event.metadata["datacontenttype"]) == (json.loads(data), content_type)


def test_header_names_are_read_in_any_case(post):
    assert (
        stored(post(b"{}", **{name.upper(): value for name, value in headers_of(REQUIRED).items()})).event_id
        == "ce-1"
    )


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("Euro%20%e2%82%ac", "Euro €"),
        ("%45uro", "Euro"),
        ("100%2525", "100%25"),
        ('"Euro \\"x\\" %E2%82%AC"', 'Euro "x" €'),
        ("Euro 5", "Euro 5"),
        ("%ZZ", "%ZZ"),
        ("base64:AAAA", "base64:AAAA"),
    ],
)
def test_values_are_unquoted_and_percent_decoded_once(post, header, text):
    assert stored(post(b"{}", **headers_of(REQUIRED), **{"ce-note": header})).metadata["note"] == text


@pytest.mark.parametrize("header", ["%C0%A0", "%FF", "%ED%A0%80"])
def test_values_that_are_not_utf8_are_refused_by_the_headers_name(post, header):
    response = post(b"{}", **headers_of(REQUIRED), **{"ce-note": header})
    assert response.status_code == 400
    assert response.json()["results"][0]["reason"] == "The header ce-note is not UTF-8."


def test_a_structured_event_may_carry_the_headers_of_binary_mode(post):
    body = json.dumps(REQUIRED | {"id": "inside"}).encode()
    assert (
        stored(
            post(body, "application/cloudevents+json", **headers_of(REQUIRED | {"id": "outside"}))
        ).event_id
        == "inside"
    )


def test_a_batch_is_answered_event_by_event_and_may_be_empty(post):
    batch = [REQUIRED | {"id": f"ce-{n}", "time": "2018-04-05T17:31:00Z"} for n in range(3)]
    response = post(json.dumps(batch).encode(), "application/cloudevents-batch+json; charset=UTF-8")
    assert [result["status"] for result in response.json()["results"]] == ["stored"] * 3
    assert {event.occurred_at for event in Event.objects.all()} == {
        datetime.fromisoformat("2018-04-05T17:31:00Z")
    }
    response = post(b"[]", "application/cloudevents-batch+json")
    assert (response.status_code, response.json()) == (202, {"accepted": 0, "rejected": 0, "results": []})


@pytest.mark.parametrize(
    "media_type", ["application/cloudevents+avro", "application/cloudevents-batch+protobuf"]
)
def test_another_event_format_is_refused_by_its_name(post, media_type):
    response = post(b"\x00", media_type, **headers_of(REQUIRED))
    assert response.status_code == 415
    assert media_type in response.json()["detail"]
