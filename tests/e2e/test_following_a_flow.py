"""From a word to a trace, to what it should have been, to the map and the process that it belongs to."""

import re


def test_a_search_its_trace_and_all_tabs(open_window):
    visit = open_window()
    page = visit.page
    for _ in range(30):  # the first failed order is ingested some seconds after the product is ready
        page.goto("/traces/?q=error")
        if page.locator("[data-row]").count():
            break
        page.wait_for_timeout(1000)
    page.locator("[data-row]").first.wait_for()
    page.get_by_label("An order number, an id, type:…, error, slow…").fill(
        "type:shipment.created -type:payment.declined"
    )
    page.wait_for_url(re.compile("shipment.created"))
    row = page.locator("[data-row] a.row-link").first
    row.wait_for()
    row.click()
    page.wait_for_url(re.compile(r"/traces/[^/?]+/"))
    page.get_by_role("link", name="Sequence").click()
    page.locator(".seq-arrow").first.wait_for()
    page.get_by_role("link", name="Flow", exact=True).click()
    page.locator("[data-flow-map][data-drawn]").wait_for()
    page.get_by_role("link", name="Compare").click()
    page.get_by_label("The other trace’s correlation id").wait_for()
    other = page.locator(".compare-with a").first
    if other.count():
        other.click()
        page.locator(".compare-table").wait_for()
    assert visit.complaints == []


def test_what_is_typed_is_completed(open_window):
    page = open_window().page
    page.goto("/traces/")
    page.get_by_label("An order number, an id, type:…, error, slow…").press_sequentially(
        "type:ship", delay=60
    )
    option = page.locator("#completions option").first
    option.wait_for(state="attached")
    assert option.get_attribute("value").startswith("type:shipment")


def test_the_map_is_focused_and_says_what_stops(open_window):
    visit = open_window()
    page = visit.page
    page.goto("/map/")
    page.locator("[data-flow-map][data-drawn]").wait_for()
    page.locator(".flow-table a", has_text="payment").first.click()
    page.get_by_role("heading", name="If payment stops").wait_for()
    assert "Order fulfilment" in page.locator(".flow-blast").inner_text()
    page.goto("/map/?range=1h&back=2")
    page.locator(".flow-bar").wait_for()
    assert visit.complaints == []


def test_a_process_leads_from_what_is_stuck_to_the_trace(open_window):
    visit = open_window()
    page = visit.page
    page.goto("/processes/")
    page.get_by_role("link", name="Order fulfilment").first.click()
    page.wait_for_url(re.compile(r"/processes/\d+/"))
    page.get_by_role("link", name=re.compile("^Stuck")).click()
    page.wait_for_url(re.compile("state=stuck"))
    first = page.locator(".instances a.row-link").first
    first.wait_for()
    assert "shipment.created" in page.locator(".instances").inner_text()
    first.click()
    page.locator(".trace-process", has_text="Order fulfilment").wait_for()
    assert visit.complaints == []
