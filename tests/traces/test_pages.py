import pytest

from eventhub.schemas.models import EventType, SchemaVersion
from eventhub.traces.loading import MOST_EVENTS
from tests.traces.building import event, order, receipt, store

pytestmark = pytest.mark.django_db
HTMX = {"HTTP_HX_REQUEST": "true"}


def text(response) -> str:
    assert response.status_code == 200, response
    return response.content.decode()


def test_pages_need_a_login(client):
    assert client.get("/traces/").status_code == 302
    assert client.get("/traces/x/").status_code == 302
    assert client.get("/events/x/").status_code == 302


def test_without_events_the_list_says_what_to_do(browser):
    assert "No events yet" in text(browser.get("/traces/"))


def test_a_row_tells_the_story(browser):
    store(*order(8412, fails=True))
    page = text(browser.get("/traces/"))
    assert "order 8412 · 2 events · 2 services · 1 s · ● placed → ✕ payment declined" in page
    assert 'href="/traces/order-8412/"' in page


def test_an_id_in_the_address_goes_straight_to_its_trace(browser):
    store(*order(1))
    assert browser.get("/traces/?q=order-1-paid").url == "/traces/order-1/?event=order-1-paid"
    assert browser.get("/traces/?q=order-1").url == "/traces/order-1/"


def test_an_id_that_is_being_typed_is_offered(browser):
    store(*order(1))
    page = text(browser.get("/traces/?q=order-1-paid", HTTP_HX_TARGET="list", **HTMX))
    assert "data-direct-hit" in page
    assert "<html" not in page


def test_filters_are_chips_that_can_be_taken_away(browser):
    store(*order(1))
    page = text(browser.get("/traces/?state=failed&duration=1-&from=2026-03-04T10:00:00"))
    assert "Take away state failed" in page
    assert "Take away took over 1 s" in page
    assert "Take away happened from 04 Mar 10:00:00 UTC" in page
    assert "No trace matches" in page


def test_the_list_goes_on_by_its_cursor(browser):
    store(*(one for number in range(45) for one in order(number)))
    first = browser.get("/traces/")
    second = text(browser.get(first.context["next_url"], **HTMX))
    assert second.count("data-row") == 5
    assert "That is all" in second


def test_new_traces_are_counted(browser):
    store(*order(1))
    count_url = browser.get("/traces/").context["count_url"]
    assert browser.get(count_url).json() == {"count": 0, "more": False}
    store(*order(2))
    assert browser.get(count_url).json() == {"count": 1, "more": False}


def test_a_foreign_cursor_is_not_found_and_not_an_error(browser):
    assert browser.get("/traces/?after=nonsense").status_code == 404


def test_a_trace_shows_its_events_and_who_handled_them(browser):
    store(*order(1), receipt("order-1-paid", "billing", correlation_id="order-1"))
    page = text(browser.get("/traces/order-1/"))
    assert page.count("data-step ") + page.count("data-step>") >= 3
    assert "billing processed it in 200 ms" in page
    assert "eventhub.delivery" not in page


def test_a_dead_letter_has_its_retry_button_right_there(browser, dead_letter, client, django_user_model):
    store(*order(1))
    letter = dead_letter("order-1", "order-1-shipped")
    assert f'hx-post="/api/dead-letters/{letter.pk}/retry"' in text(browser.get("/traces/order-1/"))
    client.force_login(django_user_model.objects.create_user("reader", password="x"))
    page = text(client.get("/traces/order-1/"))
    assert "data-retry" not in page
    assert f"/dead-letters/{letter.pk}/" in page


def test_the_chosen_event_is_in_the_address(browser):
    store(*order(1))
    page = text(browser.get("/traces/order-1/?event=order-1-paid"))
    assert "panel-header" in page
    part = text(browser.get("/traces/order-1/?event=order-1-paid", HTTP_HX_TARGET="panel", **HTMX))
    assert "<html" not in part
    assert "order-1-placed" in part


def test_an_event_is_checked_against_its_schema(browser):
    store(event("a", "order.placed", correlation_id="c-1", data={"total": "x"}))
    schema = {"type": "object", "properties": {"total": {"type": "number"}}}
    kind = EventType.objects.get(name="order.placed")
    SchemaVersion.objects.create(event_type=kind, version="1", status="active", schema=schema)
    page = text(browser.get("/traces/c-1/?event=a"))
    assert "breaks its schema" in page
    assert "$.total" in page


def test_news_are_told_without_moving_anything(browser):
    store(*order(1))
    seen = browser.get("/traces/order-1/").context["have"]
    store(event("late", correlation_id="order-1"))
    part = text(browser.get(f"/traces/order-1/?have={seen}", HTTP_HX_TARGET="news", **HTMX))
    assert "1 new event" in part


def test_an_unknown_trace_and_an_unknown_event_say_so(browser):
    assert b"No such trace" in browser.get("/traces/nothing/").content
    assert browser.get("/traces/nothing/").status_code == 404
    assert b"No such event" in browser.get("/events/nothing/").content


def test_an_event_id_in_place_of_a_trace_leads_to_its_trace(browser):
    store(*order(1))
    assert browser.get("/traces/order-1-paid/").url == "/traces/order-1/?event=order-1-paid"


@pytest.mark.parametrize(
    "odd", ["kafka:orders/0/12", "a b", "ünï/çode", "a\nb", "a?b#c", "100%", "<script>", "a/"]
)
def test_odd_ids_have_pages(browser, odd):
    store(event(odd, correlation_id=odd, causation_id=odd))
    assert text(browser.get("/traces/"))
    found = browser.get("/traces/").context["rows"][0]["url"]
    assert text(browser.get(found))
    assert "<script>alert" not in text(browser.get(found, {"event": odd}))


@pytest.mark.parametrize("event_type", ["", "..", "<b>", "a b", "x/y", "a\nb", "%"])
def test_odd_types_are_shown(browser, event_type):
    store(event("a", event_type or "-", correlation_id="c"))
    assert text(browser.get("/traces/c/?event=a"))
    assert text(browser.get("/event-types/"))


def test_the_page_of_an_event_shows_every_time_its_id_was_used(browser):
    store(event("a", seconds=0), event("a", seconds=9))
    page = text(browser.get("/events/a/"))
    assert "used 2 times" in page
    assert "12:00:09.000" in text(browser.get("/events/a/?version=1"))


def test_an_event_without_correlation_has_its_page(browser):
    store(event("a", correlation_id=None, data={"x": 1}))
    page = text(browser.get("/events/a/"))
    assert "It has no correlation id" in page
    assert "Without correlation" in text(browser.get("/traces/?loose=1"))
    assert 'href="/events/a/"' in text(browser.get("/traces/?loose=1"))


def test_an_event_that_told_no_time_says_whose_time_is_shown(browser):
    store(event("dated", correlation_id=None), event("undated", correlation_id=None, is_undated=True))
    said = "it came without one of its own"
    assert said in text(browser.get("/events/undated/"))
    assert said not in text(browser.get("/events/dated/"))


def test_a_trace_of_more_events_than_can_be_shown_says_so(browser, monkeypatch):
    monkeypatch.setattr("eventhub.traces.loading.MOST_EVENTS", 10)
    store(*(event(f"e{number}", correlation_id="large") for number in range(12)))
    page = text(browser.get("/traces/large/"))
    assert "never changes its correlation id" in page
    assert MOST_EVENTS == 20_000


def test_a_page_takes_a_bounded_number_of_queries(browser, django_assert_max_num_queries):
    browser.get("/event-types/")  # the first page of a session asks whether the guide is wanted
    store(*(one for number in range(30) for one in order(number)))
    with django_assert_max_num_queries(12):
        browser.get("/traces/")
    store(*(event(f"e{number}", correlation_id="large") for number in range(200)))
    with django_assert_max_num_queries(12):
        browser.get("/traces/large/?event=e5")


def test_event_types_are_grouped_and_lead_to_their_pages(browser, dead_letter):
    store(*order(1))
    dead_letter("order-1", "order-1-placed")
    page = text(browser.get("/event-types/"))
    assert 'href="/event-types/order.placed/"' in page
    assert 'title="Dead letters' in page or "/dead-letters/?type=order.placed" in page
    detail = text(browser.get("/event-types/order.placed/"))
    assert "order-1" in detail
    assert browser.get("/event-types/nothing/").status_code == 404


def test_the_event_types_page_does_not_ask_once_a_type(browser, django_assert_max_num_queries):
    browser.get("/event-types/")  # the first page of a session asks whether the guide is wanted
    store(*(event(f"e{number}", f"order.kind{number}") for number in range(40)))
    with django_assert_max_num_queries(10):
        assert text(browser.get("/event-types/")).count("data-row") == 40


def test_what_was_just_searched_for_can_be_saved(browser):
    part = text(browser.get("/traces/?q=error", HTTP_HX_TARGET="list", **HTMX))
    assert 'id="save-here" hx-swap-oob="true"' in part
    assert 'value="q=error"' in part
    assert "Search for something to save it" in text(browser.get("/traces/"))
