"""Which event types a pattern fits."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.handlers.patterns import BadPattern, check, matches

parts = st.text("ab.*", min_size=1, max_size=8)
types = st.text("ab.", min_size=1, max_size=12)


@given(st.lists(parts, min_size=1, max_size=3), types)
def test_a_star_stands_for_any_text(patterns, event_type):
    as_regex = [".*".join(map(re.escape, pattern.split("*"))) for pattern in patterns]
    assert matches(patterns, event_type) == any(re.fullmatch(r, event_type) for r in as_regex)


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("order.placed", ["order.placed"], ["order.placed.again", "order", "Order.placed"]),
        ("order.*", ["order.placed", "order.line.added", "order."], ["order", "orders.placed"]),
        ("*.failed", ["payment.failed"], ["payment.failed.twice"]),
        ("order.*.added", ["order.line.added"], ["order.added", "order.line.removed"]),
        ("*", ["order.placed", "x"], ["eventhub.delivery.failed"]),
        ("eventhub.*", ["eventhub.delivery.failed"], ["order.placed"]),
    ],
)
def test_patterns_as_the_documentation_explains_them(pattern, fits, does_not):
    check(pattern)
    for event_type in fits:
        assert matches([pattern], event_type), event_type
    for event_type in does_not:
        assert not matches([pattern], event_type), event_type


@pytest.mark.parametrize(
    ("pattern", "word"),
    [("", "empty"), ("a b", "space"), ("a\n", "control"), ("a.**", r"\*\*"), ("order.#", "AMQP"), ("x?", "single"),
     ("[ab]", "sets"), ("order.>", "NATS"), ("x" * 501, "501")],
)  # fmt: skip
def test_what_is_no_pattern_is_refused_with_what_to_write_instead(pattern, word):
    with pytest.raises(BadPattern, match=word):
        check(pattern)
