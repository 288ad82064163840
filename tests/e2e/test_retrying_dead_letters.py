"""A person retries a group: is warned before the button, sends one first, and sees the others spared."""

import json
import re
import time

import pytest
import redis
from playwright.sync_api import expect

from eventhub.running.environment import read_environment


@pytest.fixture
def shop_streams(product):
    """The streams of the demo shop."""
    client = redis.Redis.from_url(read_environment(product.var_dir)["EMBEDDED_REDIS_URL"])
    yield client
    client.close()


def profile(n: int) -> str:
    """An event that can be read, of no order at all, which its schema, which is enforced, does not allow."""
    return json.dumps(
        {
            "event_id": f"none-{n}",
            "event_type": "customer.profile_updated",
            "event_version": "1",
            "timestamp": "2026-11-24T12:00:00Z",
            "data": {"customer_id": "c-none", "order_id": f"770{n}", "orders": 0, "tier": "gold"},
            "metadata": {"source": "customers", "correlation_id": f"none-{n}"},
        }
    )


def find(page, query: str, count: int):
    """The list of dead letters, once it has `count` that fit `query`."""
    deadline = time.monotonic() + 90
    rows = page.locator(".letter-row .row-link")
    while True:
        page.goto(f"/dead-letters/?q={query}")
        if rows.count() == count or time.monotonic() > deadline:
            break
        page.wait_for_timeout(1000)
    expect(rows).to_have_count(count)
    return rows


def test_a_group_is_retried_with_warnings_before_and_a_canary_in_front(open_window, shop_streams):
    for n in range(3):
        shop_streams.xadd("shop.customers", {"body": profile(n)})
    visit = open_window()
    page = visit.page
    find(page, "data.customer_id+%3D+c-none", 3).first.click()
    group = page.locator(".breadcrumbs a").nth(1).get_attribute("href") or ""

    # What the broker and the schema say stands above the button, before anything is sent.
    page.goto(group)
    retry = page.locator(".story-actions .btn-primary")
    retry.click()
    sheet = page.locator("#sheet")
    alarm = sheet.locator(".sheet-alarm")
    expect(alarm).to_contain_text("None of the 3 looked into fits today's schema")
    expect(alarm).to_contain_text("$.orders")
    expect(alarm).not_to_contain_text("came back")

    # One goes first. It is as wrong as before and comes back; the others are not sent.
    sheet.get_by_text("One first").click()
    sheet.get_by_role("button", name=re.compile("^Send 3 again")).click()
    expect(sheet).to_contain_text("1 came back", timeout=90_000)
    expect(sheet).to_contain_text("1 of 3 sent")
    expect(sheet).to_contain_text("2 to be sent")
    sent = [
        fields
        for _, fields in shop_streams.xrevrange("shop.customers")
        if b'"customer_id": "c-none"' in fields[b"body"]
    ]
    assert len(sent) == 4

    # The job is the same from its own page, and given up there.
    sheet.get_by_role("link", name="Results of each letter").click()
    page.wait_for_url(re.compile(r"/jobs?/"))
    job = page.locator(".job-progress")
    expect(job).to_contain_text("1 of 3 sent")
    job.get_by_role("button", name="Cancel").click()
    expect(job).to_contain_text("cancelled")

    # Who tries again is told that it was tried before.
    page.goto(group)
    retry.click()
    expect(alarm).to_contain_text("retried before and came back, up to once")
    expect(alarm).to_contain_text("Has the cause been repaired?")
    sheet.get_by_role("button", name="Cancel").click()
    assert visit.complaints == []


def test_who_sends_to_a_stream_that_is_not_there_is_told_so(open_window, shop_streams):
    shop_streams.xadd(
        "shop.dead-letters",
        {
            "body": profile(9).replace('"orders": 0', '"orders": 3'),
            "dlq-error-class": "ConnectionError",
            "dlq-error-message": "the vault is closed",
            "dlq-origin-stream": "shop.vault",
            "dlq-group": "vault",
        },
    )
    visit = open_window()
    page = visit.page
    find(page, "vault+is+closed", 1).click()
    page.locator("[data-key=r]").click()
    sheet = page.locator("#sheet")
    expect(sheet.locator(".sheet-sentence")).to_contain_text("shop.vault")
    expect(sheet.locator(".sheet-alarm")).to_contain_text("is not there")
    assert visit.complaints == []
