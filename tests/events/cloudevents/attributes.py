"""The tables of the CloudEvents specification: a row is one attribute, as text, and where it is found in an event."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from eventhub.events.envelope import Event
from eventhub.events.message import Message

BROKER_TIME = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TRACE = "0af7651916cd43dd8448eb211c80319c"
REQUIRED = {"specversion": "1.0", "id": "ce-1", "source": "/shop", "type": "order.placed"}


class Row(NamedTuple):
    """An attribute, its value as text, and what the event has of it beside the metadata."""

    attribute: str
    text: str
    # Its value in the JSON format, where that is not a string.
    in_json: Any = None
    field: str | None = None
    expected: Any = None

    @property
    def id(self) -> str:
        return self.attribute


ROWS = [
    # Required, and optional context attributes (specification, "Required Attributes" and "Optional Attributes").
    Row("id", "A234-1234-1234", field="event_id", expected="A234-1234-1234"),
    Row(
        "source",
        "https://shop.example/orders?a=b#c",
        field="source",
        expected="https://shop.example/orders?a=b#c",
    ),
    Row("specversion", "1.0"),
    Row("type", "com.example.order.placed.v2", field="event_type", expected="com.example.order.placed.v2"),
    Row("dataschema", "https://shop.example/schemas/order#/$defs/placed"),
    Row("subject", "orders/8412", field="stream", expected="orders/8412"),
    Row(
        "time",
        "2018-04-05T17:31:00.123Z",
        field="occurred_at",
        expected=datetime(2018, 4, 5, 17, 31, 0, 123_000, tzinfo=UTC),
    ),
    # The type system, in extension attributes.
    Row("extboolean", "true", in_json=True),
    Row("extinteger", "-2147483648", in_json=-2147483648),
    Row("extstring", "Euro € 😀"),
    Row("extbinary", "AAH/"),
    Row("exturi", "https://example.com/a%20b"),
    Row("exturiref", "../up?x=1"),
    Row("exttimestamp", "2018-04-05T17:31:00Z"),
    # Documented extensions that EventHub knows what to make of.
    Row("traceparent", f"00-{TRACE}-b9c7c989f97918e1-01", field="correlation_id", expected=TRACE),
    Row("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"),
    Row("correlationid", "txn-abc-123", field="correlation_id", expected="txn-abc-123"),
    Row("causationid", "order-123", field="causation_id", expected="order-123"),
    Row("partitionkey", "customer-7"),
    Row("sequence", "0042", field="stream_version", expected=42),
    Row("sequencetype", "Integer"),
    Row("dataref", "https://shop.example/data/8412"),
    Row("eventversion", "2", field="event_version", expected="2"),
]
# A content type and bytes of it, and the event's data.
DATA = [
    ("application/json", b'{"total": 12.50}', '{"total": 12.50}'),
    ("application/json; charset=utf-8", '{"name": "Jürgen"}'.encode(), '{"name": "Jürgen"}'),
    ("Application/JSON;charset=UTF-16", '{"name": "Jürgen"}'.encode("utf-16"), '{"name": "Jürgen"}'),
    ("application/vnd.shop.order+json", b"[1, 2]", "[1, 2]"),
    ("text/json", b'"text"', '"text"'),
    ("application/xml", b'<much wow="xml"/>', '"<much wow=\\"xml\\"/>"'),
    ("text/plain; charset=ISO-8859-1", b"J\xfcrgen", '"Jürgen"'),
    ('text/plain; charset="windows-1252"', b"\x80 5", '"€ 5"'),
    ("text/plain; charset=no-such-one", b"text", '"dGV4dA=="'),
    ("text/plain; charset=idna", b"text", '"dGV4dA=="'),
    ("text/plain", b"J\xfcrgen", '"SvxyZ2Vu"'),
    ("application/vnd.apache.thrift.binary", b"\x80\x01\x00\x01", '"gAEAAQ=="'),
    ("application/json", b"", "null"),
]


def data_id(row: Any) -> str:
    return str(row[0]) if isinstance(row, tuple) else ""


def check(event: Event, row: Row) -> None:
    """That `event`, made of the required attributes and `row`, has it in its metadata and in its field."""
    metadata = json.loads(event.metadata)
    assert metadata[row.attribute] == row.text
    assert metadata.keys() - {"datacontenttype"} == REQUIRED.keys() | {row.attribute}
    if row.field:
        assert getattr(event, row.field) == row.expected
    assert event.event_id == metadata["id"]
    assert event.event_type == metadata["type"]
    assert event.source == metadata["source"]
    assert event.has_producer_time is (row.attribute == "time")
    if row.attribute != "time":
        assert event.occurred_at == BROKER_TIME


def message(body: bytes, headers: dict[str, str], **changed: Any) -> Message:
    return Message(body, "orders", "7", "kafka:shop/orders/0/7", headers, timestamp=BROKER_TIME, **changed)


Read = Callable[[dict[str, str], bytes, str | None], Event]
