"""A trace of more events than fit a page: scrolled, searched in, opened at an event, and growing while it is read."""

import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest

EVENTS = 600
BEGAN = datetime.now(UTC) - timedelta(minutes=20)


def parcel(number, name="parcel-long", **fields):
    return {
        "event_id": f"{name}-{number}",
        "event_type": "parcel.moved",
        "event_version": "1",
        "timestamp": (BEGAN + timedelta(seconds=number)).isoformat(),
        "data": {"hall": f"hall-{number}"},
        "metadata": {
            "source": "logistics",
            "correlation_id": name,
            "causation_id": f"{name}-{number - 1}" if number else None,
            **fields,
        },
    }


@pytest.fixture(scope="module")
def send(product):
    token = product.manage("token", "create", "long traces", "--scope", "ingest").split()[-1]

    def send(*events):
        request = urllib.request.Request(
            f"{product.url}/api/events",
            json.dumps(events).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert json.load(answer)["rejected"] == 0

    send(*[parcel(number) for number in range(EVENTS)])
    return send


def drawn(page):
    return page.locator("[data-step]").evaluate_all("rows => rows.map(row => Number(row.dataset.index))")


@pytest.mark.parametrize("tab", ["waterfall", "events"])
def test_only_the_rows_around_the_view_are_in_the_page(open_window, send, tab):
    visit = open_window()
    page = visit.page
    page.goto(f"/traces/parcel-long/?tab={tab}")
    page.locator("[data-index='0']").wait_for()
    assert len(drawn(page)) <= 200
    page.keyboard.press("End")
    page.locator(f"[data-index='{EVENTS - 1}']").wait_for()
    page.locator("[data-index='0']").wait_for(state="detached")
    assert len(drawn(page)) <= 200
    page.keyboard.press("Home")
    page.locator("[data-index='0']").wait_for()
    assert visit.overflow() == []
    assert visit.complaints == []


def test_arrow_keys_walk_on_into_rows_that_were_not_there(open_window, send):
    page = open_window().page
    page.goto("/traces/parcel-long/?event=parcel-long-300")
    page.locator("[data-index='300'].is-chosen").wait_for()
    assert page.locator("[data-index='300']").evaluate("row => row.getBoundingClientRect().top < innerHeight")
    page.evaluate("scrollTo(0, 0)")
    page.locator("[data-index='300']").wait_for(state="detached")
    page.keyboard.press("ArrowDown")
    page.locator("[data-index='301'].is-chosen").wait_for()
    page.locator("#panel", has_text="hall-301").wait_for()
    page.wait_for_url(re.compile("event=parcel-long-301"))


def test_what_is_found_in_a_trace_stands_in_the_address(open_window, send):
    visit = open_window()
    page = visit.page
    page.goto("/traces/parcel-long/")
    page.get_by_label("Find in this trace").fill("hall-41")
    page.locator(".trace-found", has_text="11 of 600").wait_for()
    page.wait_for_url(re.compile("find=hall-41"))
    page.locator("[data-step] a.row-link").nth(3).click()
    page.wait_for_url(re.compile("find=hall-41&event=parcel-long-412"))
    page.reload()
    page.locator(".trace-found", has_text="11 of 600").wait_for()
    assert drawn(page) == list(range(11))
    assert visit.complaints == []


def test_new_events_slide_in_and_the_row_that_is_read_stays(open_window, send):
    visit = open_window()
    page = visit.page
    send(*[parcel(number, "parcel-grows") for number in range(EVENTS)])
    page.goto("/traces/parcel-grows/?event=parcel-grows-400")
    row = page.locator(".is-chosen")
    before = row.bounding_box()["y"]
    send(*[parcel(100 + n / 10, "parcel-grows", causation_id="parcel-grows-100") for n in range(1, 6)])
    page.locator(f"[data-total='{EVENTS + 5}']").wait_for()
    page.locator("[data-index='405'].is-chosen").wait_for()
    assert abs(row.bounding_box()["y"] - before) < 2
    assert page.locator(".trace-facts").inner_text().startswith("605")
    assert visit.complaints == []


def test_a_bar_names_its_broker_and_tells_the_topic_to_who_looks(open_window, send):
    page = open_window().page
    page.goto("/traces/parcel-long/")
    row = page.locator("[data-index='3']")
    row.wait_for()
    assert row.locator(".wf-broker .icon").bounding_box()["width"] < 16
    assert row.locator(".wf-by").first.inner_html() == "HTTP API"
    topic = row.locator("svg .wf-topic")
    assert not topic.is_visible()
    row.hover()
    topic.wait_for()
    page.mouse.move(0, 0)
    topic.wait_for(state="hidden")
    row.locator("a.row-link").focus()
    topic.wait_for()
