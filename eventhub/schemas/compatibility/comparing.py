"""The front of the comparison: two schemas as they were written, and their differences."""

from typing import Any

from eventhub.schemas.compatibility.arrays import contains_rule, item_rule
from eventhub.schemas.compatibility.bounds import (
    count_rule,
    length_rule,
    number_rule,
    property_count_rule,
    text_rule,
)
from eventhub.schemas.compatibility.combined import alternative_rule
from eventhub.schemas.compatibility.conditions import condition_rule, leftover_rule, not_rule
from eventhub.schemas.compatibility.dependencies import dependent_required_rule, dependent_schema_rule
from eventhub.schemas.compatibility.difference import Difference, Place
from eventhub.schemas.compatibility.document import BadReference, Document
from eventhub.schemas.compatibility.objects import name_rule, others_rule, property_rule, required_rule
from eventhub.schemas.compatibility.types import type_rule, value_rule
from eventhub.schemas.compatibility.walk import TooComplex, Walk

# Every kind of rule. The first two decide whether the others have anything to look at.
RULES = (
    type_rule,
    value_rule,
    number_rule,
    length_rule,
    text_rule,
    count_rule,
    item_rule,
    contains_rule,
    property_rule,
    required_rule,
    others_rule,
    name_rule,
    property_count_rule,
    dependent_required_rule,
    dependent_schema_rule,
    alternative_rule,
    not_rule,
    condition_rule,
    leftover_rule,
)


def differences(
    writer: Any, reader: Any, *, names: tuple[str, str] = ("the old schema", "the new schema")
) -> list[Difference]:
    """What stands between events written by `writer` and a consumer that expects `reader`, by place.

    All of it is compatible exactly when every event that fits `writer` also fits `reader`, once the reader's defaults
    are filled in (`schemas.defaults`). `names` are what the two are called in the words.
    """
    try:
        theirs, ours = Document(writer), Document(reader)
        found = Walk(theirs, ours, RULES, names).compare(theirs.root, ours.root, Place())
    except (BadReference, TooComplex, RecursionError) as error:
        return [Difference("$", "cannot_be_compared", False, str(error) or "The schemas nest too deep.", "#")]
    return sorted(found, key=lambda one: (one.is_compatible, one.path, one.kind))
