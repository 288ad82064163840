import json

import pytest

from dlq.formats import Origin
from tests.dlq.formats.dead import FAILED_AT, dead, death, kept

AMQP = {"exchange": "dlx", "routing_key": "order.placed", "queue": "dead", "content_type": "application/json"}
REJECTED = {
    "count": 3,
    "reason": "rejected",
    "queue": "shipping",
    "time": "2026-11-24T09:59:00Z",
    "exchange": "orders",
    "routing-keys": ["order.placed", "copied.to"],
}
EXPIRED = {
    "count": 2,
    "reason": "expired",
    "queue": "shipping.wait",
    "time": "2026-11-24T10:00:00Z",
    "exchange": "retry",
    "routing-keys": ["shipping"],
    "original-expiration": "30000",
}


def first(queue, reason, exchange):
    return [
        ("x-first-death-queue", queue),
        ("x-first-death-reason", reason),
        ("x-first-death-exchange", exchange),
    ]


def test_a_rejected_message_goes_back_to_its_exchange_with_its_routing_key():
    found = death(
        ("x-death", json.dumps([REJECTED])), *first("shipping", "rejected", "orders"), properties=AMQP
    )
    assert found.origin == Origin("orders", properties={"exchange": "orders", "routing_key": "order.placed"})
    assert (found.error_class, found.error_message) == ("rejected", "Rejected from the queue shipping.")
    assert (found.failed_in, found.attempts) == ("shipping", 3)


def test_through_two_hops_the_first_death_is_the_origin_and_both_are_told():
    found = death(("x-death", json.dumps([EXPIRED, REJECTED])), *first("shipping", "rejected", "orders"))
    assert found.origin.properties == {"exchange": "orders", "routing_key": "order.placed"}
    assert found.error_message == "Rejected from the queue shipping; then expired in the queue shipping.wait."
    assert (found.error_class, found.attempts, found.failed_at) == ("rejected", 3, FAILED_AT)


def test_in_a_cycle_the_first_death_is_found_though_it_is_the_newest_entry():
    found = death(("x-death", json.dumps([REJECTED, EXPIRED])), *first("shipping", "rejected", "orders"))
    assert found.origin.topic == "orders"
    assert found.failed_in == "shipping"


def test_without_the_headers_of_the_first_death_the_oldest_entry_is_it():
    assert death(("x-death", json.dumps([EXPIRED, REJECTED]))).failed_in == "shipping"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("rejected", "Rejected from the queue q."),
        ("expired", "Expired in the queue q."),
        ("maxlen", "Dropped from the queue q, which was full."),
        ("delivery_limit", "Delivered from the queue q as often as it allows."),
        ("new one", "Dead-lettered by the queue q (new one)."),
    ],
)
def test_each_reason_is_said_in_words(reason, words):
    entry = REJECTED | {"reason": reason, "queue": "q"}
    assert death(("x-death", json.dumps([entry]))).error_message == words


def test_a_message_of_the_default_exchange_goes_back_into_its_queue():
    entry = REJECTED | {"exchange": "", "routing-keys": ["shipping"]}
    found = death(("x-death", json.dumps([entry])), properties=AMQP)
    assert found.origin == Origin("shipping", properties={"exchange": "", "routing_key": "shipping"})


@pytest.mark.parametrize("reason", ["delivery_limit", "rejected"])
def test_what_the_dead_letter_queue_delivered_before_is_no_attempt(reason):
    entry = REJECTED | {"reason": reason, "count": 3}
    assert death(("x-death", json.dumps([entry])), ("x-delivery-count", "5")).attempts == 3


@pytest.mark.parametrize("prefix", ["first", "last"])
def test_where_only_the_short_headers_are_left_it_goes_straight_into_the_queue(prefix):
    found = death(
        (f"x-{prefix}-death-queue", "shipping"), (f"x-{prefix}-death-reason", "maxlen"), properties=AMQP
    )
    assert found.origin == Origin("shipping", properties={"exchange": "", "routing_key": "shipping"})
    assert found.error_class == "maxlen"


def test_amqp_1_says_the_same_under_another_name():
    entry = {name: value for name, value in REJECTED.items() if name != "time"}
    entry |= {"first-time": "2026-11-24T09:00:00Z", "last-time": "2026-11-24T10:00:00Z"}
    found = death(("x-opt-deaths", json.dumps([entry])))
    assert (found.failed_in, found.attempts, found.failed_at) == ("shipping", 3, FAILED_AT)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", '["a"]', "[{}]", '[{"queue": 5, "count": true, "routing-keys": [7]}]']
)
def test_what_cannot_be_read_leaves_the_origin_unknown(text):
    found = death(("x-death", text))
    assert (found.origin, found.attempts, found.failed_at) == (Origin(), 1, None)


def test_the_deaths_are_not_sent_again():
    message = dead(
        ("x-death", "[]"),
        *first("q", "rejected", "e"),
        ("x-last-death-queue", "q"),
        ("x-delivery-count", "1"),
        ("X-Tenant", "a"),
    )
    assert kept(message) == ["X-Tenant"]


def test_what_a_framework_leaves_out_the_broker_tells():
    task = [
        ("task", "shop.ship"),
        ("id", "t-1"),
        ("lang", "py"),
        ("retries", "3"),
        ("root_id", "r"),
        ("parent_id", "null"),
    ]
    found = death(*task, ("x-death", json.dumps([REJECTED])))
    assert (found.error_class, found.failed_in, found.attempts) == ("rejected", "shop.ship", 4)
    assert found.origin.topic == "orders"
    assert found.event is not None
    assert (found.event.event_id, found.event.event_type) == ("t-1", "shop.ship")
    assert (found.event.correlation_id, found.event.causation_id) == ("r", None)


def test_a_task_keeps_its_headers():
    assert kept(dead(("task", "shop.ship"), ("id", "t-1"), ("lang", "py"), ("x-death", "[]"))) == [
        "task",
        "id",
        "lang",
    ]
