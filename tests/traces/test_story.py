from datetime import timedelta

import pytest

from eventhub.traces.assemble import assemble
from eventhub.traces.outcome import is_bad_news, said_about
from eventhub.traces.story import MOST_WORDS, in_words, story_of
from tests.traces.building import START, event, letter, order, receipt

LATER = START + timedelta(hours=1)


def told(*events, letters=()):
    trace = assemble("c-1", events, letters, now=LATER)
    return in_words(trace, story_of(trace))


def test_a_trace_is_told_in_one_line():
    events = [*order(8412), receipt("order-8412-shipped", "email", 3, ok=False, will_retry=False)]
    assert told(*events) == (
        "order 8412 · 3 events · 4 services · 3 s · ● placed → payment captured → shipment sent → ✕ email failed"
    )


def test_a_dead_letter_tells_who_failed():
    assert told(event("a"), letters=[letter("a")]).endswith("● placed → ✕ shipping failed")


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({"stream": "order-8412"}, "order 8412"),
        ({"stream": "Order/8412"}, "order 8412"),
        ({"stream": "7f3c2a10-0000-4000-8000-000000000000"}, "order 7f3c2a10-0000-4000-8000-000000000000"),
        ({"data": {"order_id": 8412}}, "order 8412"),
        ({"data": {"orderId": "A-7"}}, "order A-7"),
        ({"data": {"order": {"id": 9}}}, "order 9"),
        ({"data": {"id": "x1"}}, "order x1"),
        ({"data": {"id": True}}, "order"),
        ({"data": {"id": ["no"]}}, "order"),
        ({"data": [1, 2]}, "order"),
        ({"data": None}, "order"),
    ],
)
def test_what_it_is_about_comes_from_the_stream_or_the_payload(fields, subject):
    assert told(event("a", **fields)).split(" · ")[0] == subject


def test_equal_neighbours_are_counted():
    assert told(*(event(f"e{n}", "order.item_added", n) for n in range(4))).endswith("● item added ×4")


def test_a_long_story_keeps_its_begin_its_end_and_what_failed():
    events = [event(f"e{n}", f"order.step{'abcdefghijklmnop'[n]}", n) for n in range(16)]
    events[7] = event("e7", "payment.failed", 7)
    trace = assemble("c-1", events, now=LATER)
    path = story_of(trace).path
    assert len([word for word in path if not word.gap]) < MOST_WORDS
    assert path[0].text == "stepa"
    assert path[-1].text == "stepp"
    assert [word.text for word in path if word.failed] == ["payment failed"]
    assert any(word.gap for word in path)


@pytest.mark.parametrize(
    ("event_type", "bad"),
    [
        ("payment.failed", True),
        ("PaymentFailed", True),
        ("order.payment_failed", True),
        ("com.shop.payment.declined.v1", True),
        ("request.timed_out", True),
        ("order.placed", False),
        ("order.cancelled", False),
        ("failed_orders.exported.daily", False),
        ("", False),
    ],
)
def test_bad_news_is_known_by_the_last_words(event_type, bad):
    assert is_bad_news(event_type) is bad


@pytest.mark.parametrize(
    ("event_type", "about", "said"),
    [
        ("order.placed", "order", "placed"),
        ("payment.captured", "order", "payment captured"),
        ("OrderPlaced", "order", "placed"),
        ("com.shop.order.placed", "order", "placed"),
        ("order", "order", "order"),
        ("", "order", ""),
    ],
)
def test_a_type_is_said_in_words(event_type, about, said):
    assert said_about(event_type, about) == said


def test_a_message_that_no_service_took_says_why():
    assert told(
        event("a"), letters=[letter("b", failed_in="", reason="invalid", event_type="order.paid")]
    ).endswith("placed → ✕ paid invalid")
