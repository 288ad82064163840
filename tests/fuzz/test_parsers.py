"""Whatever bytes come: an event, or a refusal in words. No crash, no hang, nothing lost."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from eventhub.events.decoding import decode, split
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message
from eventhub.schemas.checking import read_text
from eventhub.schemas.compatibility import differences
from eventhub.schemas.inference import infer
from eventhub.traces import language
from tests.fuzz import inputs
from tests.fuzz.amount import count, examples
from tests.schemas.compatibility.any_schema import changed, documents

AT = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def message(body: bytes, headers: dict[str, str]) -> Message:
    return Message(body, "orders", "7-0", "redis:shop/orders/7-0", headers, timestamp=AT)


@examples(400, 0.30)
@given(inputs.bodies, inputs.headers)
def test_an_envelope_is_read_or_refused_in_words(body: bytes, headers: dict[str, str]) -> None:
    count("envelope and headers")
    for part in split(message(body, headers)):
        try:
            event = decode(part)
        except Undecodable as refusal:
            refused = bool(refusal.kind and refusal.reason)
            assert refused
            continue
        assert isinstance(event, Event)
        assert event.event_id
        assert event.event_type
        assert event.occurred_at.tzinfo is not None
        if event.data is not None:
            json.loads(event.data)
        msgspec.json.decode(event.metadata)


@examples(300, 0.20)
@given(inputs.lines, st.sets(st.sampled_from(["order_id", "type", "a.b"])))
def test_a_search_is_always_understood_as_something_and_says_the_same_again(
    line: str, names: set[str]
) -> None:
    count("query language")
    asked = language.read(line, names)
    written = language.write(asked)
    if len(written) > language.LONGEST:  # spelt out it may be longer than a line is read
        return
    again = language.read(written, names)
    assert (
        msgspec.structs.replace(again, problems=()) == msgspec.structs.replace(asked, problems=())
        or asked.problems
    )


@examples(100, 0.10)
@given(st.lists(inputs.values, min_size=1, max_size=6))
def test_a_schema_is_inferred_from_anything_that_is_json(values: list[Any]) -> None:
    count("schema inference")
    assert json.dumps(infer(values).schema)


@examples(100, 0.05)
@given(st.data())
def test_any_two_schemas_are_compared(data: st.DataObject) -> None:
    count("schema comparison")
    old = data.draw(documents())
    for difference in differences(old, data.draw(changed(old))):
        assert difference.kind


@examples(100, 0.05)
@given(
    st.one_of(inputs.values.map(json.dumps), st.text(max_size=200), st.sampled_from([inputs.depth(100_000)]))
)
def test_a_typed_schema_is_read_or_its_flaws_are_told(text: str) -> None:
    count("schema text")
    schema, flaws = read_text(text)
    assert flaws or schema is not None
