import html
import json
import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from eventhub.pages.json_tree import MAX_NODES, json_tree

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=30,
)


def text_of(markup: str) -> str:
    return html.unescape(re.sub(r"<[^>]+>", "", markup))


@given(JSON)
def test_what_one_copies_from_a_tree_is_the_json_itself(value: Any) -> None:
    assert json.loads(text_of(json_tree(value))) == value


@given(st.text(max_size=200))
def test_no_value_can_bring_markup_into_the_page(text: str) -> None:
    tree = json_tree({text: f"<script>{text}</script>"})
    assert "<script" not in tree


def test_a_huge_value_is_cut_with_a_word_about_it() -> None:
    tree = json_tree(list(range(50_000)))
    assert tree.count("json-line") < MAX_NODES + 10
    assert "more here" in tree


def test_deep_nesting_is_cut_instead_of_failing() -> None:
    value: Any = 1
    for _ in range(900):
        value = [value]
    assert "more here" in json_tree(value)


def test_a_long_text_is_cut() -> None:
    assert len(json_tree("x" * 1_000_000)) < 4_000
