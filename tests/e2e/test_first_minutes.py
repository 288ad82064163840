"""What a person does first: log in, watch it live, open a trace, look at a dead letter."""

import json
import re
import time
import urllib.request
from datetime import UTC, datetime
from uuid import uuid4

from playwright.sync_api import expect

from tests.services.product import Product


def per_second(text: str) -> float:
    """ "4,812/s", "12.3 k/s", "12/min", "1.5/h" as a number."""
    found = re.search(r"([\d.,]+)\s*([kM]?)/(s|min|h)", text)
    if not found:
        return 0.0
    number = float(found[1].replace(",", "")) * {"": 1, "k": 1e3, "M": 1e6}[found[2]]
    return number / {"s": 1, "min": 60, "h": 3600}[found[3]]


def send_events(product: Product, token: str, count: int) -> None:
    now = datetime.now(UTC).isoformat()
    events = [
        {
            "event_id": str(uuid4()),
            "event_type": "browser.opened",
            "event_version": "1",
            "timestamp": now,
            "data": {"number": number},
            "metadata": {"source": "browser-test", "correlation_id": f"visit-{number}"},
        }
        for number in range(count)
    ]
    request = urllib.request.Request(
        f"{product.url}/api/events",
        data=json.dumps(events).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 202


def test_a_stranger_is_sent_to_the_login_page_and_a_wrong_password_is_answered(browser, product):
    context = browser.new_context(base_url=product.url)
    page = context.new_page()
    page.goto("/traces/")
    expect(page).to_have_url(re.compile(r"/login/\?next="))
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    context.close()


def test_the_live_number_rises_without_a_reload(open_window, product):
    token = product.manage("token", "create", "browser-test", "--scope", "ingest")
    visit = open_window()
    page = visit.page
    page.goto("/")
    page.evaluate("window.notReloaded = true")
    tile = page.locator("[data-tile=throughput] .tile-value")
    expect(tile).to_have_text(re.compile(r"/(s|min)"), timeout=60_000)
    before = per_second(tile.inner_text())

    deadline = time.monotonic() + 30
    highest = before
    while highest < before + 50 and time.monotonic() < deadline:
        send_events(product, token, 400)
        page.wait_for_timeout(400)
        highest = max(highest, per_second(tile.inner_text()))
    assert highest >= before + 50, f"{before}/s became {highest}/s at most"
    assert page.evaluate("window.notReloaded")
    assert visit.complaints == []


def test_a_trace_is_found_in_the_list_and_its_waterfall_shows_its_events(open_window, product):
    visit = open_window()
    page = visit.page
    page.goto("/")
    page.get_by_role("navigation").get_by_role("link", name="Traces").first.click()
    expect(page).to_have_url(re.compile(r"/traces/$"))
    # One that is under way: the newest may have begun this very moment.
    row = (
        page.locator(".trace-row")
        .filter(has_text=re.compile(r"order\s+\d+"))
        .filter(has_text=re.compile(r"\b([5-9]|1\d) events"))
    )
    row.first.locator("a[href^='/traces/']").first.click()
    expect(page).to_have_url(re.compile(r"/traces/[^/]+/"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("order")
    steps = page.locator("[data-step]")
    expect(steps.nth(1)).to_be_visible()
    expect(steps.first.locator("svg .wf-bar")).to_have_count(1)
    first = steps.first.locator(".wf-name")
    first.click()
    panel = page.get_by_role("complementary", name="The chosen event")
    expect(panel).to_contain_text(first.inner_text().strip())
    expect(panel).to_contain_text("correlation")
    assert visit.complaints == []


def test_a_dead_letter_tells_why_it_failed(open_window, product):
    visit = open_window()
    page = visit.page
    deadline = time.monotonic() + 90
    while True:  # the shop makes one before long
        page.goto("/dead-letters/")
        letters = page.locator("main a").evaluate_all(
            "links => links.map(a => a.getAttribute('href')).filter(h => /^\\/dead-letters\\/\\d+\\/$/.test(h))"
        )
        if letters or time.monotonic() > deadline:
            break
        page.wait_for_timeout(2000)
    assert letters
    page.goto(letters[0])
    expect(page.get_by_role("button", name=re.compile("Retry")).first).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("Discard")).first).to_be_visible()
    assert visit.complaints == []
