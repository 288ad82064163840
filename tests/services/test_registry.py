"""The schema registry under test answers as Confluent's does: by HTTP, with its codes."""

import base64
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from tests.services.registry import RegistryServer

ORDER = '{"type": "record", "name": "Order", "fields": [{"name": "total", "type": "long"}]}'
CITY = 'syntax = "proto3"; package places; message City { string name = 1; }'
PARCEL = (
    'syntax = "proto3"; import "places/city.proto"; import "google/protobuf/timestamp.proto"; '
    "message Parcel { places.City to = 1; google.protobuf.Timestamp at = 2; }"
)


def ask(
    registry: RegistryServer, method: str, path: str, body: object = None, **headers: str
) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(registry.url + path, data, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_a_schema_is_found_by_its_id_and_by_its_version(registry: RegistryServer) -> None:
    status, registered = ask(registry, "POST", "/subjects/orders-value/versions", {"schema": ORDER})
    assert (status, registered["id"], registered["version"]) == (200, 1, 1)
    status, by_id = ask(registry, "GET", "/schemas/ids/1")
    assert status == 200
    assert json.loads(by_id["schema"]) == json.loads(ORDER)
    assert "schemaType" not in by_id  # nothing said is Avro
    status, latest = ask(registry, "GET", "/subjects/orders-value/versions/latest")
    assert (latest["subject"], latest["version"], latest["id"]) == ("orders-value", 1, 1)
    assert latest["guid"] == registered["guid"]
    assert ask(registry, "GET", f"/schemas/guids/{latest['guid']}")[1]["schema"] == by_id["schema"]
    assert ask(registry, "GET", "/schemas/ids/1/versions")[1] == [{"subject": "orders-value", "version": 1}]


def test_the_same_schema_has_the_same_id_everywhere(registry: RegistryServer) -> None:
    spaced = json.dumps(json.loads(ORDER), indent=4)
    ids = [registry.register(subject, text) for subject, text in (("a", ORDER), ("a", spaced), ("b", ORDER))]
    assert ids == [1, 1, 1]
    assert ask(registry, "GET", "/subjects/a/versions")[1] == [1]
    assert ask(registry, "GET", "/schemas/ids/1/subjects")[1] == ["a", "b"]
    assert ask(registry, "POST", "/subjects/b", {"schema": spaced})[1]["version"] == 1


def test_versions_count_up_and_kinds_are_named(registry: RegistryServer) -> None:
    for number in (1, 2, 3):
        schema = json.dumps({"title": f"v{number}", "type": "object"})
        body = {"schema": schema, "schemaType": "JSON"}
        registered = ask(registry, "POST", "/subjects/pay%2Fment/versions", body)[1]
        assert (registered["id"], registered["version"]) == (number, number)
    assert ask(registry, "GET", "/subjects")[1] == ["pay/ment"]
    assert ask(registry, "GET", "/subjects/pay%2Fment/versions")[1] == [1, 2, 3]
    assert ask(registry, "GET", "/subjects/pay%2Fment/versions/2")[1]["schemaType"] == "JSON"
    assert ask(registry, "GET", "/subjects/pay%2Fment/versions/2/schema")[1]["title"] == "v2"
    assert set(ask(registry, "GET", "/schemas/types")[1]) == {"AVRO", "JSON", "PROTOBUF"}


def test_protobuf_with_references_is_given_as_text_and_serialized(registry: RegistryServer) -> None:
    city = registry.register("city", CITY, "PROTOBUF")
    body = {
        "schema": PARCEL,
        "schemaType": "PROTOBUF",
        "references": [{"name": "places/city.proto", "subject": "city", "version": 1}],
    }
    parcel = ask(registry, "POST", "/subjects/parcel/versions", body)[1]["id"]
    _, as_text = ask(registry, "GET", f"/schemas/ids/{parcel}")
    assert (as_text["schema"], as_text["schemaType"], as_text["references"]) == tuple(body.values())
    serialized = ask(registry, "GET", f"/schemas/ids/{parcel}?format=serialized")[1]["schema"]
    file = FileDescriptorProto.FromString(base64.b64decode(serialized))
    assert [message.name for message in file.message_type] == ["Parcel"]
    assert list(file.dependency) == ["places/city.proto", "google/protobuf/timestamp.proto"]
    assert ask(registry, "GET", "/subjects/city/versions/1/referencedby")[1] == [parcel]
    assert ask(registry, "DELETE", "/subjects/city")[1]["error_code"] == 42206
    assert registry.register("another-city", CITY, "PROTOBUF") == city


def test_avro_with_references(registry: RegistryServer) -> None:
    registry.register("order", ORDER)
    basket = json.dumps(
        {
            "type": "record",
            "name": "Basket",
            "fields": [{"name": "orders", "type": {"type": "array", "items": "Order"}}],
        }
    )
    assert registry.register("basket", basket, references=[("Order", "order", 1)]) == 2
    assert ask(registry, "POST", "/subjects/basket/versions", {"schema": basket})[1]["error_code"] == 42201


def test_what_is_deleted_is_still_found_by_its_id(registry: RegistryServer) -> None:
    registry.register("orders-value", ORDER)
    assert ask(registry, "DELETE", "/subjects/orders-value?permanent=true")[1]["error_code"] == 40407
    assert ask(registry, "DELETE", "/subjects/orders-value") == (200, [1])
    assert ask(registry, "GET", "/subjects")[1] == []
    assert ask(registry, "GET", "/subjects?deleted=true")[1] == ["orders-value"]
    assert ask(registry, "GET", "/subjects/orders-value/versions/1")[1]["error_code"] == 40401
    assert ask(registry, "GET", "/schemas/ids/1")[0] == 200
    assert registry.register("orders-value", ORDER) == 1
    assert ask(registry, "GET", "/subjects/orders-value/versions")[1] == [2]
    assert ask(registry, "DELETE", "/subjects/orders-value/versions/latest") == (200, 2)
    assert ask(registry, "DELETE", "/subjects/orders-value?permanent=true") == (200, [1, 2])
    assert ask(registry, "GET", "/subjects?deleted=true")[1] == []


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/schemas/ids/7", None, 404, 40403),
        ("GET", "/schemas/ids/seven", None, 404, 404),
        ("GET", "/subjects/nothing/versions", None, 404, 40401),
        ("GET", "/subjects/known/versions/7", None, 404, 40402),
        ("GET", "/subjects/known/versions/0", None, 422, 42202),
        ("POST", "/subjects/known", {"schema": '"string"'}, 404, 40403),
        ("POST", "/subjects/x/versions", {"schema": "{"}, 422, 42201),
        ("POST", "/subjects/x/versions", {"schema": '{"type": "nonsense"}'}, 422, 42201),
        ("POST", "/subjects/x/versions", {"schema": '{"type": 7}', "schemaType": "JSON"}, 422, 42201),
        ("POST", "/subjects/x/versions", {"schema": "message {", "schemaType": "PROTOBUF"}, 422, 42201),
        ("POST", "/subjects/x/versions", {"schema": "<x/>", "schemaType": "XML"}, 422, 42201),
        ("POST", "/subjects/x/versions", ["no object"], 422, 42201),
        ("GET", "/somewhere", None, 404, 404),
    ],
)
def test_what_is_wrong_is_answered_with_its_code(
    registry: RegistryServer, method: str, path: str, body: object, status: int, code: int
) -> None:
    registry.register("known", ORDER)
    answered, answer = ask(registry, method, path, body)
    assert (answered, answer["error_code"]) == (status, code)
    assert answer["message"]


@pytest.fixture
def guarded() -> Iterator[RegistryServer]:
    server = RegistryServer(user="reader", password="secret").start()
    yield server
    server.stop()


def test_one_with_a_password_asks_for_it(guarded: RegistryServer) -> None:
    right = base64.b64encode(b"reader:secret").decode()
    assert ask(guarded, "GET", "/subjects")[1] == {"error_code": 401, "message": "Unauthorized"}
    assert ask(guarded, "GET", "/subjects", Authorization="Basic d3Jvbmc=")[0] == 401
    assert ask(guarded, "GET", "/subjects", Authorization=f"Basic {right}") == (200, [])


def test_one_that_was_stopped_refuses_and_remembers(registry: RegistryServer) -> None:
    registry.register("orders-value", ORDER)
    registry.stop()
    with pytest.raises(urllib.error.URLError):
        ask(registry, "GET", "/subjects")
    registry.start()
    assert ask(registry, "GET", "/subjects")[1] == ["orders-value"]
    assert registry.requests == ["GET /subjects"]
