"""Events in a wanted version over the API, and upcasts listed and tried there."""

import pytest

from eventhub.access.models import Scope
from eventhub.schemas.models import EventType, PersonalField, SchemaStatus, SchemaVersion
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.upcasting.catalogue import known_steps
from eventhub.schemas.upcasting.code import _steps, upcaster
from tests.access.people import browser, script
from tests.handlers.conftest import Hub, placed

pytestmark = pytest.mark.django_db
UPCAST = {"expression": "{id: order_id, total: total, who: email}", "defaults": {"currency": "EUR"}}


@pytest.fixture
def stored():
    event_type = EventType.objects.create(name="order.placed")
    schema = {"type": "object", "required": ["id", "currency"]}
    for version, step in (("1", None), ("2", UPCAST)):
        SchemaVersion.objects.create(
            event_type=event_type,
            version=version,
            status=SchemaStatus.ACTIVE,
            schema=schema if step else {},
            upcast=step,
        )
    fields.forget()
    known_steps.forget()
    Hub().take(
        placed(1, data={"email": "a@b.c"}),
        placed(2, event_version="2", data={"id": "o-2"}),
        placed(3, event_version="9"),
    )
    return event_type


def ask(address, scope=Scope.READ):
    return browser().get(address, headers=script(scope)).json()


def test_an_event_is_read_in_the_version_that_is_asked_for(stored):
    (event,) = ask("/api/events?event_id=evt-1&version=2")["items"]
    assert event["data"] == {"id": "o-1", "total": 12.5, "who": "a@b.c", "currency": "EUR"}
    assert (event["event_version"], event["upcast_from"], event["upcast_error"]) == ("2", "1", None)


def test_events_that_cannot_be_brought_there_are_shown_as_they_are_with_the_reason(stored):
    events = {one["event_id"]: one for one in ask("/api/events?event_type=order.placed&version=2")["items"]}
    assert events["evt-2"]["upcast_from"] is None
    assert events["evt-3"]["event_version"] == "9"
    assert "no published version 9" in events["evt-3"]["upcast_error"]


def test_a_step_cannot_carry_a_masked_value_to_where_no_mask_is(stored):
    PersonalField.objects.create(event_type=stored, path="$.email")
    fields.forget()
    (event,) = ask("/api/events?event_id=evt-1&version=2")["items"]
    assert event["data"]["who"] == "•••"
    (event,) = ask("/api/events?event_id=evt-1&version=2", Scope.CONFIGURE)["items"]
    assert event["data"]["who"] == "a@b.c"


def test_a_version_needs_a_type_that_has_it(stored):
    answer = browser().get("/api/events?version=2", headers=script(Scope.READ))
    assert answer.status_code == 400
    assert "event_type" in answer.json()["detail"]


def test_steps_of_the_catalogue_and_of_the_code_are_listed(stored):
    before = dict(_steps)
    upcaster("order.shipped", "1", "2")(dict)
    try:
        catalogue, code = ask("/api/upcasts")["items"]
    finally:
        _steps.clear()
        _steps.update(before)
    assert (catalogue["since"], catalogue["version"], catalogue["declared_in"]) == ("1", "2", "catalogue")
    assert catalogue["expression"] == UPCAST["expression"]
    assert (code["event_type"], code["since"], code["declared_in"]) == ("order.shipped", "1", "code")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"data": {"order_id": "x"}}, {"data": {"id": "x", "total": None, "who": None, "currency": "EUR"}}),
        ({"data": {"order_id": "x"}, "upcast": {}}, {"data": {"order_id": "x"}}),
        ({"data": {"order_id": "x"}, "upcast": {"expression": "abs(order_id)"}}, {"data": None}),
        ({"upcast": {"expression": "{id: order_id}"}}, {"event_id": "evt-1", "data": {"id": "o-1"}}),
    ],
)
def test_an_upcast_is_tried_on_data_and_on_stored_events(stored, asked, expected):
    body = {"event_type": "order.placed", "version": "2"} | asked
    answer = browser().post(
        "/api/upcasts/test", body, content_type="application/json", headers=script(Scope.CONFIGURE)
    )
    (tried,) = answer.json()["items"]
    assert expected.items() <= tried.items()
    assert bool(tried["failure"] or tried["breaches"]) == ("upcast" in asked)


def test_what_is_no_upcast_is_refused_in_words(stored):
    body = {"event_type": "order.placed", "version": "2", "upcast": {"expression": "a["}}
    answer = browser().post(
        "/api/upcasts/test", body, content_type="application/json", headers=script(Scope.CONFIGURE)
    )
    assert answer.status_code == 422
    assert "no JMESPath" in answer.json()["detail"]
