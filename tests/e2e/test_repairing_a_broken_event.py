"""A person repairs a broken event: finds it, edits it, sees it in its trace, retries the others with a canary."""

import json
import re
import time

import pytest
import redis
from playwright.sync_api import expect

from eventhub.running.environment import read_environment

STREAM = "shop.payments"
BROKEN = "yesterday at noon"


@pytest.fixture
def broken_events(product):
    """Three events whose time no machine can read, as the group that they make is called."""
    client = redis.Redis.from_url(read_environment(product.var_dir)["EMBEDDED_REDIS_URL"])
    for n in range(3):
        event = {
            "event_id": f"repair-{n}",
            "event_type": "refund.requested",
            "timestamp": BROKEN,
            "data": {"order_id": 990 + n},
            "metadata": {"source": "support", "correlation_id": f"repair-{n}"},
        }
        client.xadd(STREAM, {"body": json.dumps(event)})
    client.close()


def test_a_broken_event_is_repaired(open_window, broken_events):
    visit = open_window()
    page = visit.page

    # Finds the group, by a value of the payload.
    deadline = time.monotonic() + 90
    while True:
        page.goto("/dead-letters/?q=data.order_id+%3D+991")
        letter = page.locator(".letter-row .row-link")
        if letter.count() == 1 or time.monotonic() > deadline:
            break
        page.wait_for_timeout(1000)
    expect(letter).to_have_count(1)
    letter.click()

    # Edits: what is wrong is said while typing, and the difference shown.
    page.locator("[data-key=e]").click()
    body = page.locator("[name=body]")
    check = page.locator("#edit-check")
    expect(check).to_contain_text("cannot read it as an event")
    body.fill(body.input_value().replace(BROKEN, "yesterday at one"))
    expect(check).to_contain_text("cannot read it as an event")
    body.fill(body.input_value().replace("yesterday at one", "2026-11-24T12:00:00Z"))
    expect(check).to_contain_text("It can be read as an event")
    expect(check.locator(".diff-row.is-changed")).to_have_count(1)
    page.locator("[name=note]").fill("the form sent words for a time")
    page.get_by_role("button", name="Save and send").click()

    # The letter is resolved when EventHub has read the edit.
    expect(page.locator(".letter-title")).to_contain_text("resolved", timeout=60_000)
    expect(page.locator("#edits")).to_contain_text("Edited by admin")
    letter_url = page.url
    group = page.locator(".breadcrumbs a").nth(1).get_attribute("href") or ""
    page.goto(f"{letter_url}edit/")
    expect(page.locator("main")).to_contain_text(re.compile("resolved|edited already"))
    visit.complaints.clear()  # the page answers 409 on purpose

    # Its trace has the new event.
    page.goto("/traces/repair-1/")
    expect(page.locator("main")).to_contain_text("refund")

    # The others of the group go with a canary. It comes back, for they are as broken as before, and the rest stays.
    page.goto(group)
    page.locator(".story-actions .btn-primary").click()
    sheet = page.locator("#sheet")
    sheet.get_by_text("One first").click()
    sheet.get_by_role("button", name=re.compile("again")).click()
    expect(sheet).to_contain_text("came back", timeout=90_000)
    assert visit.complaints == []
