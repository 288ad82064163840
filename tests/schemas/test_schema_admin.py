import pytest

from eventhub.access.models import AuditEntry
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


OPEN = '{"type": "object", "properties": {"id": {"type": "integer"}}}'
CLOSED = '{"type": "object", "required": ["id"], "properties": {"id": {"type": "integer"}}}'


@pytest.fixture
def promised(order_placed):
    return SchemaVersion.objects.create(
        event_type=order_placed, version="1", status="active", schema={"type": "object"}
    )


def test_what_breaks_the_promise_is_published_only_in_spite_of_it(admin_client, order_placed, promised):
    given = form(order_placed, CLOSED, version="2", status="active")
    answer = admin_client.post("/admin/schemas/schemaversion/add/", given)
    assert "breaks what the type promises" in answer.content.decode()
    assert "$.id" in answer.content.decode()
    assert SchemaVersion.objects.count() == 1
    answer = admin_client.post("/admin/schemas/schemaversion/add/", {**given, "in_spite": "on"})
    assert answer.status_code == 302
    assert SchemaVersion.objects.get(version="2").status == "active"
    entry = AuditEntry.objects.get(action="publish schema")
    assert "$.id" in str(entry.detail["breaks"])


def test_activating_in_the_list_keeps_the_promise_too(admin_client, order_placed, promised):
    draft = SchemaVersion.objects.create(event_type=order_placed, version="2", schema={"required": ["id"]})
    chosen = {"_selected_action": [draft.pk]}
    answer = admin_client.post("/admin/schemas/schemaversion/", {"action": "activate", **chosen}, follow=True)
    assert "stays as it is" in answer.content.decode()
    draft.refresh_from_db()
    assert draft.status == "draft"


def test_the_first_published_version_is_the_default_whichever_door_it_came_through(
    admin_client, order_placed
):
    admin_client.post("/admin/schemas/schemaversion/add/", form(order_placed, OPEN, status="active"))
    order_placed.refresh_from_db()
    assert order_placed.default_version == "1"


def test_a_type_s_form_has_its_versions_its_searchable_attributes_and_its_personal_fields(
    admin_client, order_placed
):
    page = admin_client.get(f"/admin/schemas/eventtype/{order_placed.pk}/change/").content.decode()
    for prefix in ("versions", "personal_fields", "searchable"):
        assert f'name="{prefix}-TOTAL_FORMS"' in page
