from datetime import timedelta

import pytest

from eventhub.events import queries
from tests.traces.building import START, event, store

pytestmark = pytest.mark.django_db


def ids(events):
    return [one.event_id for one in events]


def test_an_id_that_came_at_several_times_is_found_with_all_of_them():
    store(event("a", seconds=5), event("b"), event("a", seconds=1))
    assert [one.occurred_at - START for one in queries.events_by_id("a")] == [
        timedelta(seconds=1),
        timedelta(seconds=5),
    ]


def test_a_correlation_is_read_page_by_page_in_the_order_recorded():
    store(*(event(f"e{number}", seconds=-number) for number in range(5)), event("x", correlation_id="other"))
    first = queries.correlation_in_log_order("c-1", 3)
    second = queries.correlation_in_log_order("c-1", 3, after=first[-1].key)
    assert ids(first + second) == ["e0", "e1", "e2", "e3", "e4"]


def test_several_correlations_are_read_at_once_each_up_to_its_limit():
    store(*(event(f"{name}{number}", correlation_id=name) for name in "ab" for number in range(4)))
    found = queries.events_by_correlations(["a", "b", "c"], 2)
    assert {name: len(some) for name, some in found.items()} == {"a": 2, "b": 2, "c": 0}


def test_the_latest_come_first_and_go_on_below_a_place():
    store(*(event(f"e{number}") for number in range(4)))
    first = queries.latest_events(2)
    assert ids(first) == ["e3", "e2"]
    assert ids(queries.latest_events(9, before=first[-1].key)) == ["e1", "e0"]


def test_the_latest_of_a_type_come_by_their_time():
    store(event("a", "x", 1), event("b", "x", 3), event("c", "y", 9), event("d", "x", 2))
    assert ids(queries.latest_of_type("x", 2)) == ["b", "d"]
    last = queries.latest_of_type("x", 2)[-1]
    assert ids(queries.latest_of_type("x", 2, before=(last.occurred_at, last.position))) == ["a"]


def test_following_the_log_sees_only_what_is_settled():
    store(event("old"), txid=10)
    store(event("now"))  # its transaction is still open
    found, reached = queries.log_after(None, 10)
    assert ids(found) == ["old"]
    assert queries.log_after(reached, 10) == ([], reached)


def test_following_a_rare_type_moves_on_although_a_page_is_empty():
    store(*(event(f"n{number}", "noise") for number in range(25)), event("rare", "rare"), txid=10)
    found, place, pages = [], None, 0
    while pages < 10:
        events, reached = queries.log_after(place, 5, event_type="rare", scan=10)
        found += events
        pages += 1
        if reached == place:
            break
        place = reached
    assert ids(found) == ["rare"]


def test_large_data_is_left_out_of_lists_and_read_alone():
    import random
    import string

    text = "".join(random.choices(string.printable[:90], k=60_000))
    store(event("a", data={"text": text}))
    assert queries.latest_events(1)[0].data is None
    assert queries.events_by_id("a")[0].value == {"text": text}


def test_events_without_data_hold_null():
    store(event("a", data=None))
    assert queries.events_by_id("a")[0].value is None
