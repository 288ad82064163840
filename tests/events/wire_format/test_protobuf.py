import base64
import json
from contextlib import suppress

import pytest
from google.protobuf import json_format
from google.protobuf.descriptor_pb2 import DescriptorProto, FileDescriptorProto
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventhub.events.envelope import Undecodable
from eventhub.events.reading import Reader
from eventhub.events.wire_format import Registry, WireFormat
from eventhub.events.wire_format.descriptors import Descriptors
from eventhub.events.wire_format.schema import Schema
from tests.events.wire_format.framed import framed, framed_by_header, put

ORDERS = """
syntax = "proto3";
package shop;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/wrappers.proto";
import "google/protobuf/any.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/empty.proto";
import "confluent/meta.proto";
import "confluent/type/decimal.proto";

message Ignored { string a = 1; }

message Order {
  option (confluent.message_meta).doc = "an order";
  enum State { OPEN = 0; PAID = 1; }
  message Line { string sku = 1; int32 how_many = 2; message Part { bytes raw = 1; } }
  int64 order_id = 1;
  State state = 2;
  repeated Line lines = 3;
  map<string, double> weights = 4;
  google.protobuf.Timestamp placed_at = 5;
  google.protobuf.Duration took = 6;
  google.protobuf.Struct extra = 7;
  google.protobuf.StringValue note = 8;
  google.protobuf.Any any = 9;
  google.protobuf.FieldMask mask = 10;
  google.protobuf.Empty nothing = 11;
  oneof how { string card = 13; bool cash = 14; }
  optional int32 tip = 15;
  bytes signature = 16;
  confluent.type.Decimal total = 17 [(confluent.field_meta).tags = "PII"];
}
"""
ORDER = {
    "orderId": "9007199254740993",
    "state": "PAID",
    "lines": [{"sku": "a", "howMany": 2}],
    "weights": {"a": 1.5},
    "placedAt": "2026-11-24T10:00:00.250Z",
    "took": "1.500s",
    "extra": {"a": [1.0, None, "x"]},
    "note": "hello",
    "any": {"@type": "type.googleapis.com/shop.Ignored", "a": "x"},
    "mask": "orderId,state",
    "nothing": {},
    "card": "visa",
    "tip": 0,
    "signature": "AAH/",
    "total": {"value": "BOI=", "precision": 9, "scale": 2},
}


def protobuf(text, indexes, value, references=None):
    """The bytes of `value` as the message type at `indexes` of the schema."""
    found = Descriptors(Schema(text, "PROTOBUF"), references or {})
    message = GetMessageClass(found.message_type(indexes))()
    return json_format.ParseDict(value, message, descriptor_pool=found.pool).SerializeToString()


@pytest.fixture
def wire_format(registry):
    return WireFormat(Registry(registry.url))


def opened(wire_format, message):
    return json.loads(wire_format.open(message).body)


def refusal(wire_format, message):
    with pytest.raises(Undecodable) as caught:
        wire_format.open(message)
    assert caught.value.reason.endswith(".")
    return caught.value


def test_every_type_becomes_what_protobufs_json_mapping_says(registry, wire_format):
    schema_id = registry.register("orders-value", ORDERS, "PROTOBUF")
    payload = b"\x02\x02" + protobuf(ORDERS, (1,), ORDER)
    assert opened(wire_format, framed(schema_id, payload)) == ORDER


def test_fields_at_their_default_are_there_all_the_same(registry, wire_format):
    registry.register(
        "a",
        'syntax = "proto3"; message A { int32 n = 1; string s = 2; repeated int32 l = 3; A a = 4; }',
        "PROTOBUF",
    )
    assert opened(wire_format, framed(1, b"\x00")) == {"n": 0, "s": "", "l": []}


def test_a_single_zero_stands_for_the_first_message_and_a_path_leads_to_nested_ones(registry, wire_format):
    registry.register("orders-value", ORDERS, "PROTOBUF")
    assert opened(wire_format, framed(1, b"\x00\x0a\x01x")) == {"a": "x"}
    # Three indexes: Order, its message Line, and its message Part.
    assert opened(wire_format, framed(1, b"\x06\x02\x00\x00\x0a\x01x")) == {"raw": "eA=="}


def test_the_schema_may_be_named_by_its_guid_in_a_header(registry, wire_format):
    schema_id = registry.register("orders-value", ORDERS, "PROTOBUF")
    came = framed_by_header(
        registry.store.schemas[schema_id].guid, protobuf(ORDERS, (1,), ORDER), b"\x02\x02"
    )
    assert opened(wire_format, came) == ORDER


def test_a_schema_registered_as_a_serialized_descriptor_is_used_too(registry, wire_format):
    by_text = registry.register("orders-value", ORDERS, "PROTOBUF")
    serialized = registry.store.serialized(registry.store.schemas[by_text])
    schema_id = registry.register("other-value", serialized, "PROTOBUF")
    payload = b"\x02\x02" + protobuf(ORDERS, (1,), ORDER)
    assert opened(wire_format, framed(schema_id, payload)) == ORDER


COMMON = """
syntax = "proto3";
package shop;
message Money { int64 cents = 1; Currency currency = 2; }
enum Currency { EUR = 0; USD = 1; }
"""
PRICE = 'syntax = "proto3"; import "shop/common/money.proto"; message Price { shop.Money net = 1; }'


@pytest.mark.parametrize("is_serialized", [False, True])
def test_schemas_that_import_others_are_put_together(registry, wire_format, is_serialized):
    registry.register("text", COMMON, "PROTOBUF")
    registry.register("serialized", registry.store.serialized(registry.store.schemas[1]), "PROTOBUF")
    used = ("shop/common/money.proto", "serialized" if is_serialized else "text", 1)
    schema_id = put(registry, "price-value", PRICE, "PROTOBUF", used)
    assert opened(wire_format, framed(schema_id, b"\x00\x0a\x04\x08\x05\x10\x01")) == {
        "net": {"cents": "5", "currency": "USD"}
    }


def test_googles_common_types_need_no_reference(registry, wire_format):
    pytest.importorskip("google.type.money_pb2")
    text = 'syntax = "proto3"; import "google/type/money.proto"; message A { google.type.Money price = 1; }'
    registry.register("a", text, "PROTOBUF")
    assert opened(wire_format, framed(1, b"\x00\x0a\x05\x0a\x03EUR")) == {
        "price": {"currencyCode": "EUR", "units": "0", "nanos": 0}
    }


def test_proto2_groups_and_required_fields_are_read(registry, wire_format):
    text = 'syntax = "proto2"; message A { required string id = 1; optional group Part = 2 { optional int32 n = 3; } }'
    registry.register("a", text, "PROTOBUF")
    assert opened(wire_format, framed(1, b"\x00\x0a\x01x\x13\x18\x05\x14")) == {"id": "x", "part": {"n": 5}}


def test_a_message_with_an_event_type_is_eventhubs_own_envelope(registry):
    text = """
        syntax = "proto3";
        import "google/protobuf/timestamp.proto";
        message Placed {
          string event_id = 1;
          string event_type = 2;
          google.protobuf.Timestamp timestamp = 3;
          Data data = 4;
          Meta metadata = 5;
        }
        message Data { int64 order_id = 1; }
        message Meta { string source = 1; string correlation_id = 2; int64 stream_version = 3; }
    """
    registry.register("placed-value", text, "PROTOBUF")
    value = {
        "event_id": "e-1",
        "event_type": "order.placed",
        "timestamp": "2026-11-24T10:00:00Z",
        "data": {"order_id": "8412"},
        "metadata": {"source": "shop", "stream_version": "3"},
    }
    event = Reader(wire_format=WireFormat(Registry(registry.url))).read(
        framed(1, b"\x00" + protobuf(text, (0,), value))
    )
    assert (event.event_id, event.event_type, event.source, event.stream_version) == (
        "e-1",
        "order.placed",
        "shop",
        3,
    )
    assert json.loads(event.data) == {"order_id": "8412"}
    assert event.correlation_id is None


@pytest.mark.parametrize(
    ("payload", "kind", "says"),
    [
        (b"", "BadFrame", "breaks off"),
        (b"\x02", "BadFrame", "breaks off"),
        (b"\xff" * 12, "BadFrame", "breaks off"),
        (b"\x01", "BadFrame", "-1 indexes"),
        (b"\xd0\x0f" + b"\x00" * 1000, "BadFrame", "1000 indexes"),
        (b"\x02\x08", "DoesNotFitSchema", "number 4 of its Protobuf schema"),
        (b"\x02\x01", "DoesNotFitSchema", "number -1 of its Protobuf schema"),
        (b"\x00\x0a\x05x", "DoesNotFitSchema", "do not fit the Protobuf schema"),
        (b"\x00\x0a\x01\xff", "DoesNotFitSchema", "do not fit the Protobuf schema"),
    ],
)
def test_bytes_that_do_not_fit_are_refused_with_the_reason(registry, wire_format, payload, kind, says):
    registry.register("orders-value", ORDERS, "PROTOBUF")
    error = refusal(wire_format, framed(1, payload))
    assert (error.kind, says in error.reason) == (kind, True), error.reason


def test_an_any_of_a_type_that_nobody_knows_is_refused_naming_it(registry, wire_format):
    text = 'syntax = "proto3"; import "google/protobuf/any.proto"; message A { google.protobuf.Any any = 1; }'
    registry.register("a", text, "PROTOBUF")
    inner = b"\x0a\x08x.y/No.T\x12\x02\x08\x01"
    assert "No.T" in refusal(wire_format, framed(1, b"\x00\x0a" + bytes([len(inner)]) + inner)).reason


UNFINISHED = FileDescriptorProto(name="a.proto", message_type=[DescriptorProto(name="A")])
UNFINISHED.message_type[0].field.add(name="b", number=1, type_name=".Missing", type=11, label=1)


@pytest.mark.parametrize(
    ("text", "references", "says"),
    [
        ("message", [], "does not compile"),
        ('syntax = "proto3"; import "nowhere.proto"; message A {}', [], "nowhere.proto"),
        (
            'syntax = "proto3"; message A {}',
            [("../../evil.proto", "evil", 1)],
            "no name for a file",
        ),
        (
            'syntax = "proto3"; message A {}',
            [("/evil.proto", "evil", 1)],
            "no name for a file",
        ),
        (base64.b64encode(UNFINISHED.SerializeToString()).decode(), [], "do not fit together"),
    ],
)
def test_a_schema_that_is_none_is_refused_with_a_reason(registry, wire_format, text, references, says):
    registry.register("evil", 'syntax = "proto3"; message B {}', "PROTOBUF")
    schema_id = put(registry, "broken-value", text, "PROTOBUF", *references)
    error = refusal(wire_format, framed(schema_id, b"\x00"))
    assert (error.kind, says in error.reason) == ("BadSchema", True), error.reason
    assert "/tmp" not in error.reason


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=300), st.sampled_from([b"", b"\x00", b"\x02\x02"]))
def test_no_bytes_can_make_reading_fail_in_another_way(registry, wire_format, payload, path):
    registry.register("orders-value", ORDERS, "PROTOBUF")
    with suppress(Undecodable):
        json.loads(wire_format.open(framed(1, path + payload)).body)
