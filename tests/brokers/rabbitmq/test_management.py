import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.rabbitmq.management import Binding, reaches

words = st.lists(st.sampled_from(["a", "b", ""]), min_size=1, max_size=5)
patterns = st.lists(st.sampled_from(["a", "b", "", "*", "#"]), min_size=1, max_size=5)


def bound(key):
    return Binding("q", "queue", key)


def as_regex(pattern):
    """A second way to say it: each word with a dot behind it."""
    parts = {"*": r"[^.]*\.", "#": r"([^.]*\.)*"}
    return "".join(parts.get(word, re.escape(word) + r"\.") for word in pattern)


@given(patterns, words)
def test_topic_patterns_mean_what_their_regular_expression_means(pattern, key):
    expected = re.fullmatch(as_regex(pattern), "".join(f"{word}." for word in key)) is not None
    assert reaches("topic", bound(".".join(pattern)), ".".join(key)) is expected


@pytest.mark.parametrize(
    ("kind", "binding", "key", "answer"),
    [
        ("direct", "order.placed", "order.placed", True),
        ("direct", "order.#", "order.placed", False),
        ("fanout", "", "order.placed", True),
        ("topic", "order.*", "order.placed", True),
        ("topic", "order.*", "order.placed.eu", False),
        ("topic", "#", "", True),
        ("headers", "", "order.placed", None),
    ],
)
def test_each_kind_of_exchange_has_its_rule(kind, binding, key, answer):
    assert reaches(kind, bound(binding), key) is answer
