import pytest

from eventhub.schemas.checking import flaws_of
from eventhub.schemas.models import EventType, SchemaVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def order_placed():
    return EventType.objects.create(name="order.placed")


def form(event_type, schema, **fields):
    return {
        "event_type": event_type.pk,
        "version": "1",
        "status": "draft",
        "note": "",
        "schema": schema,
        **fields,
    }


def test_a_schema_is_saved(admin_client, order_placed):
    answer = admin_client.post("/admin/schemas/schemaversion/add/", form(order_placed, '{"type": "object"}'))
    assert answer.status_code == 302
    assert SchemaVersion.objects.get().schema == {"type": "object"}


@pytest.mark.parametrize(
    ("schema", "said"),
    [
        ('{"type": "objct"}', "$.type"),
        ('{"properties": {"total": {"minimum": "a"}}}', "$.properties.total.minimum"),
        ('{"$ref": "#/$defs/none"}', "none"),
        ('{"$ref": "https://example.org/x.json"}', "$defs"),
        ("[1]", "JSON object"),
        ("{oops", "valid JSON"),
    ],
)
def test_what_is_no_schema_is_refused_with_the_place(admin_client, order_placed, schema, said):
    answer = admin_client.post("/admin/schemas/schemaversion/add/", form(order_placed, schema))
    assert answer.status_code == 200
    assert said in answer.content.decode()
    assert not SchemaVersion.objects.exists()


def test_versions_are_activated_and_retired_in_one_go(admin_client, order_placed):
    version = SchemaVersion.objects.create(event_type=order_placed, version="1", schema={})
    chosen = {"_selected_action": [version.pk]}
    admin_client.post("/admin/schemas/schemaversion/", {"action": "activate", **chosen})
    version.refresh_from_db()
    assert version.status == "active"
    admin_client.post("/admin/schemas/schemaversion/", {"action": "retire", **chosen})
    version.refresh_from_db()
    assert version.status == "retired"


def test_the_pages_of_types_open(admin_client, order_placed):
    for page in ("", "add/", f"{order_placed.pk}/change/"):
        assert admin_client.get(f"/admin/schemas/eventtype/{page}").status_code == 200
    version = SchemaVersion.objects.create(event_type=order_placed, version="1", schema={"type": "object"})
    page = admin_client.get(f"/admin/schemas/schemaversion/{version.pk}/change/").content.decode()
    assert "&quot;type&quot;: &quot;object&quot;" in page


def test_a_usable_schema_has_no_flaws():
    assert flaws_of({"type": "object", "properties": {"n": {"type": "integer", "minimum": 0}}}) == []
