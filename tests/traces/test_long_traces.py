"""A trace of more rows than fit a page: it is drawn in pieces, found in, followed, and read once for all of them."""

import re

import pytest

from eventhub.traces import opened
from eventhub.traces.waterfall import CHUNK, WHOLE
from tests.traces.building import event, store

LONG = WHOLE + 90
ROWS = {"hx-request": "true", "hx-target": "rows"}


@pytest.fixture
def long_trace(db):
    opened._kept.clear()
    store(
        *[
            event(
                f"e{n}",
                "parcel.moved" if n else "order.placed",
                n,
                causation_id=f"e{n - 1}" if n else None,
                correlation_id="long",
                data={"step": f"hall {n}"},
                origin_topic="parcels",
            )
            for n in range(LONG)
        ]
    )


def numbers(page):
    return [int(number) for number in re.findall(r'data-index="(\d+)"', page.content.decode())]


def test_only_the_first_rows_are_in_the_page(browser, long_trace):
    page = browser.get("/traces/long/")
    assert numbers(page) == list(range(2 * CHUNK))
    assert f'data-total="{LONG}"' in page.content.decode()
    assert f'aria-setsize="{LONG}" aria-posinset="1"' in page.content.decode()


def test_a_list_of_events_says_how_many_rows_it_has(browser, long_trace):
    page = browser.get("/traces/long/", {"tab": "events"})
    assert f'aria-rowcount="{LONG + 1}"' in page.content.decode()
    assert 'aria-rowindex="2"' in page.content.decode()
    assert numbers(page) == list(range(2 * CHUNK))


@pytest.mark.parametrize("tab", ["waterfall", "events"])
def test_the_rows_of_a_place_are_sent_alone(browser, long_trace, tab):
    part = browser.get("/traces/long/", {"tab": tab, "first": 4 * CHUNK}, headers=ROWS)
    assert numbers(part) == list(range(4 * CHUNK, 5 * CHUNK))
    assert b"<html" not in part.content
    last = browser.get("/traces/long/", {"tab": tab, "first": LONG - 5}, headers=ROWS)
    assert numbers(last) == list(range(LONG - 5, LONG))
    assert numbers(browser.get("/traces/long/", {"first": LONG + 5}, headers=ROWS)) == []


def test_an_address_of_an_event_opens_the_trace_where_it_stands(browser, long_trace):
    page = browser.get("/traces/long/", {"event": "e200"})
    assert numbers(page)[0] == 200 - 200 % CHUNK
    assert re.search(r'is-chosen"[^>]*data-index="200"', page.content.decode())


def test_a_page_that_is_drawn_again_stays_at_the_event_that_was_read(browser, long_trace):
    part = browser.get(
        "/traces/long/", {"near": "e130"}, headers={"hx-request": "true", "hx-target": "trace-main"}
    )
    assert 130 in numbers(part)[:CHUNK]


def test_without_scripts_one_can_go_on(browser, long_trace):
    page = browser.get("/traces/long/").content.decode()
    assert f'href="?first={2 * CHUNK}"' in page
    assert numbers(browser.get("/traces/long/", {"first": 2 * CHUNK})) == list(range(2 * CHUNK, 4 * CHUNK))


def test_events_of_a_trace_are_found_by_what_they_say(browser, long_trace):
    page = browser.get("/traces/long/", {"find": "Hall 249"}).content.decode()
    assert "<b>1</b> of 250 events hold <b>Hall 249</b>" in page
    assert (
        "No event of this trace holds it" in browser.get("/traces/long/", {"find": "attic"}).content.decode()
    )


def test_what_is_found_stays_found_in_the_rows_that_follow(browser, long_trace):
    page = browser.get("/traces/long/", {"find": "PARCEL.moved"}).content.decode()
    assert f'data-total="{LONG - 1}"' in page
    assert 'data-url="?find=PARCEL.moved&amp;"' in page
    part = browser.get("/traces/long/", {"find": "PARCEL.moved", "first": CHUNK}, headers=ROWS)
    assert 'id="event-' in part.content.decode()
    assert "?find=PARCEL.moved&amp;event=e41" in part.content.decode()


def test_rows_that_follow_do_not_read_the_trace_again(browser, long_trace, django_assert_max_num_queries):
    browser.get("/traces/long/")
    with django_assert_max_num_queries(8) as told:
        browser.get("/traces/long/", {"first": CHUNK}, headers=ROWS)
    assert not any("SELECT event_id, event_type" in one["sql"] for one in told.captured_queries)


def test_rows_are_of_the_trace_as_it_stands_when_something_came(browser, long_trace):
    browser.get("/traces/long/")
    store(event("late", "order.completed", LONG + 5, correlation_id="long"))
    part = browser.get("/traces/long/", {"first": LONG - 5}, headers=ROWS)
    assert 'aria-setsize="251"' in part.content.decode()
    assert "order.completed" not in part.content.decode() or numbers(part)[-1] == LONG


def test_a_letter_that_was_decided_about_is_news(browser, long_trace, dead_letter):
    letter = dead_letter("long", "e5")
    have = browser.get("/traces/long/").context["have"]
    ask = {"hx-request": "true", "hx-target": "news"}
    assert browser.get("/traces/long/", {"have": have}, headers=ask).content.strip() == b""
    letter.status = "discarded"
    letter.save()
    assert b"Something changed" in browser.get("/traces/long/", {"have": have}, headers=ask).content
