"""A person makes a contract of what flows: infers, tightens, sees what breaks, publishes, repairs what was refused."""

import json
import re
import time
from datetime import UTC, datetime

import pytest
import redis
from playwright.sync_api import expect

from eventhub.running.environment import read_environment

STREAM = "shop.payments"
TYPE = "voucher.issued"


@pytest.fixture
def issue(product):
    """Issue vouchers: each is an event on a stream that the hub reads."""
    client = redis.Redis.from_url(read_environment(product.var_dir)["EMBEDDED_REDIS_URL"])

    def issue(name, *amounts):
        for n, amount in enumerate(amounts):
            event = {
                "event_id": f"{name}-{n}",
                "event_type": TYPE,
                "timestamp": datetime.now(UTC).isoformat(),
                "data": {"voucher_id": f"{name}-{n}", "amount": amount},
                "metadata": {"source": "vouchers", "correlation_id": f"{name}-{n}"},
            }
            client.xadd(STREAM, {"body": json.dumps(event)})

    yield issue
    client.close()


def reload_until(page, url, locator, timeout_s=90):
    deadline = time.monotonic() + timeout_s
    while True:
        page.goto(url)
        if page.locator(locator).count() or time.monotonic() > deadline:
            break
        page.wait_for_timeout(1000)
    expect(page.locator(locator).first).to_be_visible()


def test_a_contract_is_made_of_what_flows(open_window, issue):
    visit = open_window()
    page = visit.page
    issue("early", *[10, 20, 30, 40, 50, 60, 70, 80, -1, -2])

    # Infers a schema from traffic.
    deadline = time.monotonic() + 90
    while page.goto(f"/event-types/{TYPE}/").status != 200:
        assert time.monotonic() < deadline
        page.wait_for_timeout(1000)
    visit.complaints.clear()  # a type that was not seen yet is not found
    page.get_by_role("link", name="From traffic").click()
    text = page.locator("[name=schema]")
    check = page.locator("#schema-check")
    deadline = time.monotonic() + 60
    while "10 of" not in page.locator("main").inner_text() and "0 of 10" not in check.inner_text():
        assert time.monotonic() < deadline
        page.wait_for_timeout(1000)
        page.reload()
    schema = json.loads(text.input_value())
    assert schema["properties"]["amount"] == {"type": "integer"}
    assert set(schema["required"]) == {"amount", "voucher_id"}

    # A slip is told in its place.
    text.fill(text.input_value().replace('"integer"', '"intger"'))
    expect(check).to_contain_text("intger")
    expect(page.locator(".edit-lines .is-flaw")).to_have_count(1)

    # Tightens it, and sees what would break.
    schema["properties"]["amount"]["minimum"] = 1
    text.fill(json.dumps(schema, indent=2))
    expect(check).to_contain_text("2 of 10")
    expect(check).to_contain_text("$.amount")

    # Publishes it: what does not fit is refused from now on.
    page.locator("[name=validation]").select_option("enforce")
    page.locator("[name=note]").fill("An amount is positive")
    page.get_by_role("button", name="Publish").click()
    page.wait_for_url(f"**/event-types/{TYPE}/")
    expect(page.locator("main")).to_contain_text("goes to the dead letters")

    # Workers look for changes every few seconds; then an invalid event lands in dead letters, a valid one does not.
    page.wait_for_timeout(8_000)
    issue("late", 90, -5)
    reload_until(page, "/dead-letters/?q=data.voucher_id+%3D+late-1", ".letter-row .row-link")
    letter = page.locator(".letter-row .row-link")
    expect(letter).to_have_count(1)
    letter.click()
    expect(page.locator("main")).to_contain_text("$.amount: -5 is less than the minimum of 1")

    # Repairs it: the schema is held against the edit while it is typed.
    page.locator("[data-key=e]").click()
    body = page.locator("[name=body]")
    fix = page.locator("#edit-check")
    body.fill(re.sub(r'"amount":\s*-5', '"amount": -4', body.input_value()))
    expect(fix).to_contain_text("$.amount")
    body.fill(re.sub(r'"amount":\s*-4', '"amount": 5', body.input_value()))
    expect(fix).to_contain_text("It fits")
    page.get_by_role("button", name="Save and send").click()
    expect(page.locator(".letter-title")).to_contain_text("resolved", timeout=60_000)

    # Nothing has moved away from the schema since.
    page.goto(f"/catalogue/drift/{TYPE}/")
    expect(page.locator("main")).to_contain_text("$.amount: -1 is less than the minimum of 1")
    expect(page.locator("main")).to_contain_text("Every field is declared")
    assert visit.complaints == []
