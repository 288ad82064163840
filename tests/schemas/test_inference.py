"""A schema drawn from events: what they have in common, and what is optional, listed, formatted or a variant."""

import jsonschema_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from eventhub.schemas.inference import infer
from eventhub.schemas.personal.paths import steps_of


def orders(count, **more):
    return [{"id": n, "status": ["placed", "paid"][n % 2], **more} for n in range(count)]


def test_types_and_what_is_always_there():
    values = [{"id": 1, "note": "a"}, {"id": 2.5}, {"id": 3, "note": None}]
    assert infer(values).schema == {
        "type": "object",
        "required": ["id"],
        "properties": {"id": {"type": "number"}, "note": {"type": ["null", "string"]}},
    }


def test_few_values_seen_often_are_listed():
    assert infer(orders(30)).schema["properties"]["status"] == {"enum": ["paid", "placed"]}
    assert infer(orders(6)).schema["properties"]["status"] == {"type": "string"}


def test_formats_that_all_values_have():
    values = [
        {"at": "2026-11-25T10:00:00Z", "day": "2026-11-25", "mail": f"a{n}@shop.example"} for n in range(3)
    ]
    formats = {name: part.get("format") for name, part in infer(values).schema["properties"].items()}
    assert formats == {"at": "date-time", "day": "date", "mail": "email"}


def test_lists_and_objects_inside_of_each_other():
    values = [{"items": [{"sku": "A", "qty": 1}, {"sku": "B"}]}, {"items": []}]
    assert infer(values).schema["properties"]["items"] == {
        "type": "array",
        "items": {
            "type": "object",
            "required": ["sku"],
            "properties": {"sku": {"type": "string"}, "qty": {"type": "integer"}},
        },
    }


def test_a_member_that_decides_about_the_others_makes_variants():
    values = [{"kind": "card", "pan": "4"} if n % 2 else {"kind": "bank", "iban": "X"} for n in range(30)]
    made = infer(values).schema
    assert [part["properties"]["kind"] for part in made["oneOf"]] == [{"const": "bank"}, {"const": "card"}]
    assert [part["required"] for part in made["oneOf"]] == [["iban", "kind"], ["kind", "pan"]]


def test_it_says_how_sure_it_is_and_shows_what_it_saw():
    field = next(field for field in infer(orders(30)).fields if field.path == "$.status")
    assert (field.seen, field.possible, field.confidence) == (30, 30, 0.9)
    assert field.samples == ["placed", "paid"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=500)
@given(st.lists(st.dictionaries(st.sampled_from("abcd"), json_values, max_size=4), min_size=1, max_size=30))
def test_every_event_that_was_seen_fits(values):
    validator = jsonschema_rs.validator_for(infer(values).schema, validate_formats=True)
    for value in values:
        assert validator.is_valid(value)


def test_no_value_of_a_marked_field_gets_into_the_draft_or_its_samples():
    values = [{"who": {"name": ("Ann", "Zoe")[n % 2], "kind": "person"}, "n": n} for n in range(40)]
    open_to_all = infer(values)
    assert open_to_all.schema["properties"]["who"]["properties"]["name"] == {"enum": ["Ann", "Zoe"]}
    drawn = infer(values, [steps_of("$.who.name")])
    assert drawn.schema["properties"]["who"]["properties"]["name"] == {"type": "string"}
    assert drawn.schema["properties"]["who"]["properties"]["kind"] == {"enum": ["person"]}
    samples = {field.path: field.samples for field in drawn.fields}
    assert samples["$.who.name"] == ["•••"]
    assert samples["$.who.kind"] == ["person"]
    assert "Zoe" not in str(infer(values, [steps_of("$.who")]))
