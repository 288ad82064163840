from datetime import timedelta

import pytest

from eventhub.traces import search as searching
from eventhub.traces.search import TraceQuery, direct_hit, search
from tests.traces.building import START, at, event, order, receipt, store

pytestmark = pytest.mark.django_db
NOW = START + timedelta(days=1)


def ids(query: TraceQuery, **options) -> list[str]:
    return [found.trace.correlation_id for found in search(query, now=NOW, **{"limit": 50, **options}).found]


@pytest.fixture
def shop():
    """Orders 1…6, an hour apart; order 3 was declined, 5 took a minute to be handled."""
    for number in range(1, 7):
        events = order(number, number * 3600, fails=number == 3)
        if number == 5:
            events.append(receipt("order-5-shipped", "email", 5 * 3600 + 60, correlation_id="order-5"))
        store(*events)


def test_the_trace_with_the_latest_event_comes_first(shop):
    assert ids(TraceQuery()) == [f"order-{number}" for number in (6, 5, 4, 3, 2, 1)]


def test_a_late_event_moves_its_trace_to_the_front(shop):
    store(event("late", correlation_id="order-2"))
    assert ids(TraceQuery())[0] == "order-2"


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (TraceQuery(state="trouble"), [3]),
        (TraceQuery(state="failed"), [3]),
        (TraceQuery(state="dead"), []),
        (TraceQuery(state="ok"), [6, 5, 4, 2, 1]),
        (TraceQuery(event_type="payment.declined"), [3]),
        (TraceQuery(event_type="order.placed", state="failed"), [3]),
        (TraceQuery(service="email"), [5]),
        (TraceQuery(service="shipping"), [6, 5, 4, 2, 1]),
        (TraceQuery(service="email", event_type="order.placed"), [5]),
        (TraceQuery(min_s=30), [5]),
        (TraceQuery(max_s=1), [3]),
        (TraceQuery(words=("order-4",)), [4]),
        (TraceQuery(words=("declined",)), [3]),
        (TraceQuery(words=("order-4", "shipment")), [4]),
        (TraceQuery(words=("order-4", "declined")), []),
        (TraceQuery(words=("100%_",)), []),
        (TraceQuery(start=at(4 * 3600), end=at(5 * 3600)), [4]),
        (TraceQuery(start=at(5 * 3600)), [6, 5]),
        (TraceQuery(end=at(2 * 3600)), [1]),
        (TraceQuery(end=at(4 * 3600), state="trouble"), [3]),
        (TraceQuery(start=at(4 * 3600), state="trouble"), []),
        (TraceQuery(start=at(4 * 3600), words=("order-4",)), [4]),
        (TraceQuery(event_type="order.placed", start=at(5 * 3600)), [6, 5]),
        (TraceQuery(event_type="nonsense"), []),
    ],
)
def test_filters_find_what_they_say(shop, query, numbers):
    assert ids(query) == [f"order-{number}" for number in numbers]


def test_a_value_in_a_payload_is_found():
    store(event("a", correlation_id="c-1", data={"customer": {"email": "Ada@example.org"}}))
    store(event("b", correlation_id="c-2"))
    assert ids(TraceQuery(words=("ada@example.org",))) == ["c-1"]


def test_a_trace_with_a_dead_letter_is_in_trouble_although_no_event_says_so(shop, dead_letter):
    dead_letter("order-2", "order-2-placed")
    assert ids(TraceQuery(state="dead")) == ["order-2"]
    assert set(ids(TraceQuery(state="trouble"))) == {"order-2", "order-3"}


def test_a_service_that_gave_up_is_found_by_its_receipt(shop):
    store(receipt("order-1-placed", "billing", ok=False, will_retry=False, correlation_id="order-1"))
    assert set(ids(TraceQuery(state="failed"))) == {"order-1", "order-3"}


@pytest.mark.parametrize(
    "query",
    [
        TraceQuery(),
        TraceQuery(event_type="order.placed"),
        TraceQuery(start=START),
        TraceQuery(words=("order",)),
        TraceQuery(min_s=0.5),
    ],
)
def test_pages_hold_every_trace_once(shop, query):
    whole, seen, before = ids(query), [], None
    while True:
        hits = search(query, now=NOW, limit=2, before=before)
        seen += [found.trace.correlation_id for found in hits.found]
        if hits.next_key is None:
            break
        before = hits.next_key
    assert seen == whole
    assert len(seen) == 6


def test_pages_of_trouble_hold_every_trace_once(shop, dead_letter):
    for number in (1, 2, 4, 5, 6):
        dead_letter(f"order-{number}", f"order-{number}-placed")
    seen, before = [], None
    for _ in range(10):
        hits = search(TraceQuery(state="trouble"), now=NOW, limit=2, before=before)
        seen += [found.trace.correlation_id for found in hits.found]
        before = hits.next_key
        if before is None:
            break
    assert sorted(seen) == [f"order-{number}" for number in range(1, 7)]


def test_a_trace_that_moved_up_is_not_repeated_on_the_next_page(shop):
    first = search(TraceQuery(), now=NOW, limit=2)
    store(event("late", correlation_id="order-1"))
    assert ids(TraceQuery(), before=first.next_key) == ["order-4", "order-3", "order-2"]


def test_what_is_newer_than_a_place_is_counted(shop):
    top = search(TraceQuery(), now=NOW, limit=1).found[0].key
    assert ids(TraceQuery(), newer_than=top) == []
    store(*order(7))
    store(event("late", correlation_id="order-1"))
    assert ids(TraceQuery(), newer_than=top) == ["order-1", "order-7"]


def test_a_search_gives_up_and_says_how_far_it_looked(shop, monkeypatch):
    monkeypatch.setattr(searching, "MOST_SCANNED", 1)
    store(*(event(f"n{number}", correlation_id=f"n-{number}") for number in range(600)))
    hits = search(TraceQuery(words=("order-1",)), now=NOW, limit=10)
    assert hits.found == []
    assert hits.gave_up
    assert hits.reached_at is not None
    found = search(TraceQuery(words=("order-1",)), now=NOW, limit=10, before=hits.next_key).found
    while not found and hits.next_key:
        hits = search(TraceQuery(words=("order-1",)), now=NOW, limit=10, before=hits.next_key)
        found = hits.found
    assert [one.trace.correlation_id for one in found] == ["order-1"]


def test_a_trace_too_large_for_a_list_is_not_repeated(monkeypatch):
    monkeypatch.setattr("eventhub.traces.loading.MOST_IN_LIST", 5)
    store(*(event(f"e{number}", correlation_id="large") for number in range(40)), *order(1))
    store(*(event(f"f{number}", correlation_id="large") for number in range(3)))
    first = search(TraceQuery(), now=NOW, limit=1)
    assert first.found[0].trace.truncated
    assert ids(TraceQuery(), before=first.next_key) == ["order-1"]


def test_events_without_correlation_are_listed_alone(shop):
    store(event("lonely", correlation_id=None), receipt("lonely", "x", correlation_id=None))
    hits = search(TraceQuery(uncorrelated=True), now=NOW, limit=10)
    assert [found.event_id for found in hits.found] == ["lonely"]
    assert "lonely" not in ids(TraceQuery())


def test_an_id_in_full_is_a_direct_hit(shop):
    store(event("lonely", correlation_id=None))
    assert direct_hit("order-2-paid") == ("order-2", "order-2-paid")
    assert direct_hit(" order-2 ") == ("order-2", None)
    assert direct_hit("lonely") == (None, "lonely")
    assert direct_hit("order") is None
    assert direct_hit("\x00") is None


def test_the_number_of_queries_does_not_grow_with_the_number_of_traces(shop, django_assert_max_num_queries):
    store(*(one for number in range(10, 45) for one in order(number)))
    with django_assert_max_num_queries(8):
        assert len(ids(TraceQuery(), limit=40)) == 40
