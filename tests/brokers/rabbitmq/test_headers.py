import json
from datetime import UTC, datetime
from decimal import Decimal
from struct import pack

import pytest
from amqp.serialization import dumps
from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.rabbitmq.headers import NotEncodable, read_headers, write_headers

names = st.text(min_size=1, max_size=30).filter(lambda name: len(name.encode()) < 200)
times = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30)).map(
    lambda time: time.replace(microsecond=0)
)
values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63) + 1, 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.decimals(-1000, 1000, places=2)
    | st.text()
    | st.binary()
    | times,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=8,
)


def table(**headers):
    return dumps("F", [headers])[4:]


def entry(name, letter, content):
    return bytes([len(name)]) + name.encode() + letter.encode() + content


@given(st.dictionaries(names, values, max_size=6))
def test_what_a_client_wrote_is_written_again_byte_for_byte(headers):
    raw = dumps("F", [headers])[4:]
    pairs, typed = read_headers(raw)
    assert write_headers(pairs, typed) == raw
    assert not any("\x00" in text for pair in pairs for text in pair)


@given(st.binary(max_size=60))
def test_no_table_however_broken_is_refused_and_none_is_lost(raw):
    pairs, typed = read_headers(raw)
    assert write_headers(pairs, typed) == raw or [name for name, _ in pairs] == ["unreadable-headers"]


def test_everything_has_a_text():
    read = dict(
        read_headers(
            table(
                text="order",
                count=7,
                big=2**40,
                negative=-3,
                share=0.5,
                price=Decimal("12.50"),
                urgent=True,
                nothing=None,
                at=datetime(2026, 11, 25, 9, 30),
                raw=b"\xff\x00",
                table={"a": [1, "x"]},
            )
        ).pairs
    )
    assert read == {
        "text": "order",
        "count": "7",
        "big": "1099511627776",
        "negative": "-3",
        "share": "0.5",
        "price": "12.50",
        "urgent": "true",
        "nothing": "null",
        "at": "2026-11-25T09:30:00Z",
        "raw": "base64:/wA=",
        "table": '{"a":[1,"x"]}',
    }


@pytest.mark.parametrize(
    ("letter", "content", "text"),
    [
        ("b", b"\xff", "-1"),
        ("B", b"\xff", "255"),
        ("U", b"\xff\xff", "-1"),
        ("s", b"\xff\xff", "-1"),
        ("u", b"\xff\xff", "65535"),
        ("I", b"\xff" * 4, "-1"),
        ("i", b"\xff" * 4, "4294967295"),
        ("L", b"\xff" * 8, "-1"),
        ("l", b"\xff" * 8, "-1"),
        ("f", pack(">f", 0.5), "0.5"),
        ("T", b"\xff" * 8, "18446744073709551615"),
        ("x", pack(">I", 2) + b"\xff\x00", "base64:/wA="),
    ],
)
def test_every_type_of_rabbitmq_is_known_and_kept(letter, content, text):
    raw = entry("n", letter, content)
    pairs, typed = read_headers(raw)
    assert pairs == (("n", text),)
    assert write_headers(pairs, typed) == raw


def test_x_death_is_json():
    death = {
        "count": 1,
        "exchange": "orders",
        "queue": "shipping",
        "reason": "rejected",
        "routing-keys": ["order.placed"],
        "time": datetime(2026, 11, 25, 9, 30),
    }
    [(_, text)] = read_headers(table(**{"x-death": [death]})).pairs
    assert json.loads(text) == [death | {"time": "2026-11-25T09:30:00Z"}]


def test_a_header_that_was_changed_is_text_and_the_others_keep_their_types():
    pairs, typed = read_headers(table(a=1, b=2))
    changed = tuple((name, "3" if name == "b" else value) for name, value in pairs)
    assert write_headers(changed, typed) == table(a=1, b="3")
    assert write_headers((("b", "2"),), typed) == table(b=2)


def test_a_name_that_came_twice_comes_twice():
    raw = entry("a", "I", pack(">i", 1)) + entry("a", "I", pack(">i", 2)) + entry("a", "t", b"\x01")
    pairs, typed = read_headers(raw)
    assert pairs == (("a", "1"), ("a", "2"), ("a", "true"))
    assert write_headers(pairs, typed) == raw


def test_types_that_nobody_wants_again_are_not_kept():
    assert read_headers(table(**{"x-delivery-count": 3}), {"x-delivery-count"}).typed == ""


def test_tables_nested_a_thousand_deep_are_kept_whole():
    raw = b""
    for _ in range(20_000):
        raw = entry("a", "F", pack(">I", len(raw)) + raw)
    pairs, _ = read_headers(raw)
    assert [name for name, _ in pairs] == ["unreadable-headers"]


def test_what_amqp_cannot_carry_is_said():
    with pytest.raises(NotEncodable, match=r"header's name has 300 bytes"):
        write_headers((("n" * 300, ""),), "")
    with pytest.raises(NotEncodable, match="was changed"):
        write_headers((("n", "1"),), "not what it was")


def test_a_time_is_told_in_utc():
    assert read_headers(table(at=datetime(2026, 11, 25, tzinfo=UTC))).pairs == (
        ("at", "2026-11-25T00:00:00Z"),
    )
