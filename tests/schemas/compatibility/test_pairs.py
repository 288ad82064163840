"""What stands between two schemas: kind, place and verdict, for every rule."""

import jsonschema_rs
import pytest

from eventhub.schemas.compatibility import differences
from tests.schemas.compatibility.pairs import PAIRS


@pytest.mark.parametrize(("about", "old", "new", "expected"), PAIRS, ids=[pair[0] for pair in PAIRS])
def test_the_differences_of_two_schemas(about, old, new, expected):
    found = [f"{'+' if one.is_compatible else '-'}{one.kind} {one.path}" for one in differences(old, new)]
    assert sorted(found) == sorted(expected)


def test_there_are_at_least_150_pairs_and_no_two_are_one():
    assert len(PAIRS) >= 150
    assert len({pair[0] for pair in PAIRS}) == len(PAIRS)


def test_every_schema_of_a_pair_is_a_schema():
    for about, old, new, _ in PAIRS:
        for schema in (old, new):
            try:
                jsonschema_rs.meta.validate(schema)
            except jsonschema_rs.ValidationError as error:
                pytest.fail(f"{about}: {error}")


def test_every_difference_is_told_in_words_with_both_sides_named():
    for about, old, new, _ in PAIRS:
        for one in differences(old, new, names=("version 3", "version 4")):
            assert not one.words[:1].islower(), about
            assert "{" not in one.words.replace('{"', ""), f"{about}: {one.words}"
            assert one.pointer.startswith("#")
