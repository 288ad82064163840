"""Events beside their schema: what is undeclared, unseen, outside of an enum, invalid, and by whom."""

from datetime import UTC, datetime, timedelta

from eventhub.schemas.drift import Seen, drift

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SCHEMA = {
    "type": "object",
    "required": ["id"],
    "properties": {
        "id": {"type": "integer"},
        "status": {"enum": ["placed", "paid"]},
        "customer": {"$ref": "#/$defs/customer"},
        "items": {"type": "array", "items": {"type": "object", "properties": {"sku": {"type": "string"}}}},
    },
    "$defs": {"customer": {"type": "object", "properties": {"email": {"type": "string"}}}},
}


def seen(data, source="shop", days_ago=0):
    return Seen(f"e-{data.get('id')}", source, NOON - timedelta(days=days_ago), data)


def test_fields_that_nobody_declared_are_named_with_their_senders():
    report = drift(
        SCHEMA,
        [seen({"id": 1, "items": [{"sku": "A", "colour": "red"}]}), seen({"id": 2, "vip": True}, "crm")],
    )
    assert [(s.path, s.count, s.senders) for s in report.undeclared] == [
        ("$.items[*].colour", 1, ["shop"]),
        ("$.vip", 1, ["crm"]),
    ]


def test_declared_fields_that_no_event_has_are_named():
    report = drift(SCHEMA, [seen({"id": 1, "status": "paid", "customer": {}})])
    assert report.unseen == ["$.customer.email", "$.items", "$.items[*].sku"]


def test_values_outside_of_an_enum_and_the_share_of_invalid_events_by_day():
    events = [
        seen({"id": 1, "status": "lost"}, "legacy", 1),
        seen({"id": 2, "status": "paid"}, days_ago=1),
        seen({"id": 3}),
    ]
    report = drift(SCHEMA, events)
    assert [(s.path, s.sample, s.senders) for s in report.outside] == [("$.status", "lost", ["legacy"])]
    assert [(day.events, day.invalid) for day in report.days] == [(2, 1), (1, 0)]
    assert report.senders == [("legacy", 1)]
    assert report.share == 1 / 3
    assert report.reasons[0][1:] == (1, "e-1")


def test_a_schema_and_its_events_can_agree():
    full = {"id": 1, "status": "paid", "customer": {"email": "a@b.c"}, "items": [{"sku": "A"}]}
    assert drift(SCHEMA, [seen(full)]).is_none
