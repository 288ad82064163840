from hypothesis import given
from hypothesis import strategies as st

from eventhub.events.message import Message, lower_headers
from eventhub.events.wire_text import to_bytes, to_text


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_come_back_as_they_were_and_their_text_can_be_stored(raw):
    text = to_text(raw)
    assert to_bytes(text) == raw
    assert "\x00" not in text
    text.encode()


def test_readable_bytes_stay_readable_and_numbers_become_base64():
    assert to_text(b"order-8412") == "order-8412"
    assert to_text((3).to_bytes(4, "big")) == "base64:AAAAAw=="


def test_text_that_looks_like_base64_and_is_not_stands_for_itself():
    assert to_bytes("base64:what?") == b"base64:what?"
    assert to_bytes(to_text(b"base64:AAAA")) == b"base64:AAAA"


def test_headers_are_read_in_lower_case_and_kept_as_they_came():
    pairs = (("X-Kind", "a"), ("x-kind", "b"), ("n", "1"))
    headers, raw = lower_headers(pairs)
    assert headers == {"x-kind": "b", "n": "1"}
    assert Message(b"", "t", "1", "k", headers, raw_headers=raw).header_pairs() == pairs


def test_headers_in_lower_case_are_kept_once():
    headers, raw = lower_headers([("a", "1"), ("b", "2")])
    assert raw == ()
    assert Message(b"", "t", "1", "k", headers, raw_headers=raw).header_pairs() == (("a", "1"), ("b", "2"))
