"""Error messages about events with personal fields: they quote what they stumbled over, and are read by everybody."""

import json
import re
from collections.abc import Iterable
from typing import Any

import msgspec

from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.paths import MASK, values_at
from eventhub.schemas.personal.sealing import opened_data

# What is shorter stands in texts by chance.
SHORTEST = 3


def without_personal(text: str, event_type: str, data: str | None) -> str:
    """`text` with a mask in place of what stands in the marked fields of `data`, the JSON of an event of this type."""
    paths = fields.paths(event_type) if text and data else ()
    if not paths:
        return text
    try:
        value = msgspec.json.decode(data or "null")
    except (msgspec.MsgspecError, RecursionError):
        return text
    return hidden_in(text, values_at(opened_data(value), paths))


def hidden_in(text: str, values: Iterable[Any]) -> str:
    """`text` with a mask in place of each of these values, as they are written by people, JSON and Python."""
    spelled = {one for value in values for one in _spellings(value) if len(one) >= SHORTEST}
    for one in sorted(spelled, key=len, reverse=True):
        before, behind = r"(?<!\w)" if one[0].isalnum() else "", r"(?!\w)" if one[-1].isalnum() else ""
        text = re.sub(before + re.escape(one) + behind, MASK, text)
    return text


def _spellings(value: Any) -> Iterable[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _spellings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _spellings(inner)
    elif isinstance(value, str):
        yield value
        yield json.dumps(value)[1:-1]
        yield json.dumps(value, ensure_ascii=False)[1:-1]
        yield repr(value)[1:-1]
    elif value is not None and not isinstance(value, bool):
        yield str(value)
