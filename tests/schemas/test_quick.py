"""What the quick way accepts, the schema accepts; usual schemas have one."""

import json

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.schema_validation import schema
from eventhub.schemas.quick import FORMATS, acceptor
from tests.schemas.compatibility.any_schema import documents, instances


@settings(max_examples=1_500, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_what_it_accepts_the_validator_accepts(data):
    document = data.draw(documents())
    accepts = acceptor(document)
    if accepts is None:
        return
    validator = jsonschema_rs.validator_for(document, validate_formats=True)
    for _ in range(4):
        event = data.draw(instances(document, document))
        if accepts(json.dumps(event)):
            assert validator.is_valid(event)


@pytest.mark.parametrize("name", FORMATS)
def test_a_text_that_has_a_format_for_it_has_it_for_the_validator(name):
    validator = jsonschema_rs.validator_for({"type": "string", "format": name}, validate_formats=True)

    @settings(max_examples=300)
    @given(st.from_regex(FORMATS[name]))
    def check(text):
        assert validator.is_valid(text)

    check()


def test_a_schema_of_twenty_fields_has_a_quick_way():
    assert acceptor(schema()) is not None


CLOSED = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "text", "is_accepted"),
    [
        ({"type": "object", "required": ["a"]}, '{"a": 1, "b": 2}', True),
        ({"type": "object", "required": ["a"]}, '{"b": 2}', False),
        (
            {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False},
            "{}",
            True,
        ),
        (
            {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False},
            '{"b": 1}',
            False,
        ),
        ({"type": "object", "properties": {"a": {"type": ["string", "null"]}}}, '{"a": null}', True),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, '{"a": null}', False),
        ({"type": "string", "minLength": 2}, '"é"', False),
        ({"type": "string", "maxLength": 1}, '"😀"', True),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "integer", "minimum": 0}}}, "-1", False),
    ],
)
def test_what_it_says_of_a_text(schema, text, is_accepted):
    assert acceptor(schema)(text) is is_accepted


@pytest.mark.parametrize(
    "schema", [{"oneOf": [{}]}, {"type": "string", "pattern": "a"}, {"minimum": 1}, {"not": {}}]
)
def test_what_no_type_can_say_has_no_quick_way(schema):
    assert acceptor(schema) is None
