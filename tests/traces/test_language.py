from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.traces.language import KEYWORDS, LONGEST_S, Asked, read, seconds_of, write
from eventhub.traces.query import Absence

ATTRIBUTES = ("order_id", "customer_id")


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("", Asked()),
        ("8412", Asked(words=("8412",))),
        ('"No answer" 8412', Asked(words=("no answer", "8412"))),
        ("order_id:8412", Asked(attributes=(("order_id", "8412"),))),
        ("order_id=8412", Asked(attributes=(("order_id", "8412"),))),
        ('customer_id:"C 17"', Asked(attributes=(("customer_id", "c 17"),))),
        ("unknown:8412", Asked(words=("unknown:8412",))),
        ("type:order.placed service:payment", Asked(types=("order.placed",), services=("payment",))),
        ("-type:payment.captured", Asked(without_types=("payment.captured",))),
        ("error slow", Asked(state="trouble", slow=True)),
        ('"error"', Asked(words=("error",))),
        ("state:dead", Asked(state="dead")),
        ("duration>2s duration<1m", Asked(min_s=2, max_s=60)),
        ("duration>=150ms", Asked(min_s=0.15)),
        ("since:24h", Asked(since_s=86400)),
        ("from:2026-03-01", Asked(start=datetime(2026, 3, 1, tzinfo=UTC))),
        ("text:8412", Asked(texts=("8412",))),
        (
            "order.placed but not payment.authorized within 30s",
            Asked(absence=Absence("order.placed", "payment.authorized", 30)),
        ),
        (
            "type:order.placed but not type:payment.authorized within:5m error",
            Asked(absence=Absence("order.placed", "payment.authorized", 300), state="trouble"),
        ),
        ("all but not", Asked(words=("all", "but", "not"))),
    ],
)
def test_a_line_asks_for_what_it_says(line, asked):
    assert read(line, ATTRIBUTES) == asked


@pytest.mark.parametrize("line", ["duration>soon", "state:sad", "from:yesterday", "since:ever"])
def test_what_cannot_be_understood_is_told_in_words(line):
    assert read(line).problems
    assert not read(line).words or line in read(line).words


@given(st.text(max_size=300))
def test_no_text_whatsoever_makes_reading_fail(line):
    read(line, ATTRIBUTES)


_words = st.text(
    st.characters(exclude_characters='"\x00', exclude_categories=["Cs"]), min_size=1, max_size=20
)
_tokens = _words.map(lambda text: text.lower().strip()).filter(
    lambda text: text and text == text.lower().strip()
)
_types = st.from_regex(r"[a-z]{1,8}(\.[a-z_]{1,8}){0,2}", fullmatch=True)
_lengths = st.integers(0, 10**12).map(lambda micros: micros / 1e6)
_moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))


def _few(strategy):
    return st.lists(strategy, max_size=2, unique=True).map(tuple)


@given(
    st.builds(
        Asked,
        words=_few(_tokens),
        texts=_few(_tokens),
        types=_few(_types),
        without_types=_few(_types),
        services=_few(_types),
        attributes=_few(st.tuples(st.sampled_from(ATTRIBUTES), _tokens)),
        absence=st.none() | st.builds(Absence, _types, _types, _lengths),
        state=st.sampled_from(["", "trouble", "dead", "failed", "running", "ok"]),
        slow=st.booleans(),
        min_s=st.none() | _lengths,
        max_s=st.none() | _lengths,
        since_s=st.none() | _lengths,
        start=st.none() | _moments,
        end=st.none() | _moments,
    )
)
def test_what_is_written_is_read_as_the_same(asked):
    assert read(write(asked), ATTRIBUTES) == asked


@given(st.floats(0, LONGEST_S, allow_nan=False))
def test_a_length_in_seconds_is_read_as_it_is_written(seconds):
    assert seconds_of(f"{seconds:.9f}s") == pytest.approx(seconds, abs=1e-6)


def test_keywords_are_no_names_for_attributes():
    assert all(read(f"{name}:2026-01-01", [name]).attributes == () for name in KEYWORDS)


def test_a_length_is_bounded_so_that_dates_can_be_reckoned_with():
    assert timedelta(seconds=seconds_of("999999999999999d") or 0) == timedelta(seconds=LONGEST_S)
