from datetime import UTC, datetime

import pytest
from django.core.exceptions import ValidationError

from eventhub.events.envelope import Event
from eventhub.schemas.models import EventType, SchemaSettings, SchemaStatus, SchemaVersion, ValidationMode
from eventhub.schemas.validation import Validators, compile_schema

pytestmark = pytest.mark.django_db
SCHEMA = {
    "type": "object",
    "required": ["n"],
    "properties": {"n": {"type": "integer"}, "at": {"type": "string", "format": "date-time"}},
}


def declare(mode=ValidationMode.WARN, status=SchemaStatus.ACTIVE, schema=SCHEMA):
    kind, _ = EventType.objects.get_or_create(name="order.placed", defaults={"validation": mode})
    return SchemaVersion.objects.create(event_type=kind, version="1", status=status, schema=schema)


def check(data, version="1", validators=None):
    validators = validators or Validators()
    validators.refresh()
    return validators.check(Event("e", "order.placed", datetime.now(UTC), data, event_version=version))


def test_a_breach_is_named_with_its_path():
    declare()
    assert check('{"n": 1}') is None
    finding = check('{"n": "one", "at": "noon"}')
    assert finding.message.splitlines() == [
        '$.n: "one" is not of type "integer"',
        '$.at: "noon" is not a "date-time"',
    ]
    assert not finding.is_enforced


def test_the_types_mode_decides_what_a_breach_leads_to():
    declare(ValidationMode.ENFORCE)
    assert check("{}").is_enforced


def test_only_active_schemas_of_the_same_version_are_checked():
    declare(status=SchemaStatus.DRAFT)
    assert check("{}") is None
    SchemaVersion.objects.update(status=SchemaStatus.ACTIVE)
    assert check("{}") is not None
    assert check("{}", version="2") is None
    EventType.objects.update(validation=ValidationMode.OFF)
    assert check("{}") is None


def test_an_event_without_a_version_is_checked_against_the_default_version():
    declare()
    assert check("{}", version=None) is None
    EventType.objects.update(default_version="1")
    assert check("{}", version=None) is not None


def test_a_type_that_says_nothing_is_checked_as_the_settings_say():
    declare(ValidationMode.DEFAULT)
    assert not check("{}").is_enforced
    SchemaSettings.objects.create(pk=1, validation=ValidationMode.ENFORCE)
    assert check("{}").is_enforced
    SchemaSettings.objects.update(validation=ValidationMode.OFF)
    assert check("{}") is None


def test_the_schema_of_a_version_that_was_active_cannot_be_changed():
    row = declare()
    row.schema = {"type": "object"}
    with pytest.raises(ValidationError, match="Make a new version"):
        row.save()


def test_versions_are_numbered_in_their_order():
    row = declare()
    other = SchemaVersion.objects.create(event_type=row.event_type, version="2026-11", schema={})
    assert (row.number, other.number) == (1, 2)


def test_a_changed_schema_is_seen_after_a_few_seconds(monkeypatch):
    monkeypatch.setattr("eventhub.schemas.validation.LOOK_FOR_CHANGES_EVERY_S", 0)
    validators = Validators()
    row = declare()
    assert check("{}", validators=validators) is not None
    row.status = SchemaStatus.RETIRED
    row.save()
    assert check("{}", validators=validators) is None


@pytest.mark.parametrize("data", ['{"n": 1e999999}', '{"n": 123456789012345678901234567890}', "1e999999"])
def test_a_number_beyond_every_range_is_a_finding_or_none_and_never_an_error(data):
    declare()
    check(data)


def test_a_reference_to_elsewhere_is_refused_and_not_fetched():
    with pytest.raises(ValueError, match=r"outside|\$defs|127.0.0.1"):
        compile_schema({"$ref": "http://127.0.0.1:1/schema.json"})


def test_a_schema_that_is_none_is_left_out_and_the_others_are_checked():
    declare()
    other = EventType.objects.create(name="order.paid")
    SchemaVersion.objects.create(
        event_type=other, version="1", status=SchemaStatus.ACTIVE, schema={"type": 7}
    )
    assert check("{}") is not None
