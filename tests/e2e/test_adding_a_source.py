"""A source is added in the browser: the broker chosen, the connection tested, messages previewed, mapped, saved."""

import json
import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
import redis
from playwright.sync_api import Page, expect

from eventhub.running.environment import read_environment


@pytest.fixture
def broker(product) -> Iterator[redis.Redis]:
    """The product's own Redis."""
    with redis.Redis.from_url(read_environment(product.var_dir)["REDIS_URL"]) as client:
        yield client


@pytest.fixture
def legacy(broker) -> Iterator[str]:
    """A stream of messages that are no events by themselves."""
    name = f"legacy-{uuid4().hex[:6]}"
    for n in range(12):
        message = {
            "kind": ("order-placed", "order-paid")[n % 2],
            "header": {"message-id": f"{name}-{n}", "producer": "legacy-shop"},
            "order": {"id": 8400 + n, "total": 12.5},
        }
        broker.xadd(name, {"body": json.dumps(message)})
    yield name
    broker.delete(name)


def begin(page: Page, kind: str) -> None:
    page.goto("/sources/")
    page.get_by_role("link", name="Add a source").click()
    page.get_by_role("link", name=kind).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(kind)


def test_foreign_messages_are_tested_previewed_mapped_and_become_events(open_window, legacy):
    visit = open_window()
    page = visit.page
    begin(page, "Redis Streams")
    page.get_by_label("Name", exact=True).fill(legacy)
    page.get_by_label("Streams").fill(legacy)
    page.get_by_role("button", name="Test").click()
    expect(page.locator("#test [data-result=ok]")).to_contain_text("The broker answered in")

    page.get_by_role("button", name="Look at ten messages").click()
    expect(page.locator(".reading")).to_have_count(10)
    expect(page.locator(".preview-sum")).to_contain_text("10 of 10 would become dead letters")

    page.get_by_role("button", name="Suggest from sample").click()
    expect(page.get_by_label("event_type")).to_have_value("body.kind")
    expect(page.locator(".preview-sum")).to_contain_text("all are read")
    expect(page.locator("#value-mapping-event_type")).to_contain_text("order-paid")

    # Live: what is typed is applied to the messages that were looked at, and the cursor stays where it is.
    source = page.get_by_label("source", exact=True)
    source.fill("'legacy")
    expect(page.locator("#error-mapping-source")).to_contain_text("is not a JMESPath expression")
    source.press_sequentially("-app'")
    expect(page.locator("#value-mapping-source")).to_contain_text("legacy-app")
    expect(page.locator("#error-mapping-source")).to_be_empty()
    expect(source).to_be_focused()
    first = page.locator(".reading").first
    first.locator("summary").first.click()
    expect(first.locator(".reading-sides")).to_contain_text("legacy-app")

    page.get_by_role("button", name="Save").last.click()
    expect(page).to_have_url(re.compile(rf"/sources/{legacy}/$"), timeout=30_000)
    expect(page.locator("#toasts")).to_contain_text("is saved", timeout=30_000)
    expect(page.locator("#source")).to_contain_text("running", timeout=30_000)
    page.reload()
    expect(page.get_by_role("link", name="order-paid").first).to_be_visible(timeout=30_000)
    assert visit.complaints == []


def test_the_form_asks_only_what_the_answers_make_necessary(open_window):
    page = open_window().page
    begin(page, "Kafka")
    expect(page.get_by_label("User name").first).to_be_hidden()
    page.get_by_role("radio", name="SASL over TLS").check()
    expect(page.get_by_label("User name").first).to_be_visible()
    expect(page.get_by_text("Certificates", exact=True)).to_be_visible()
    page.get_by_role("radio", name="none").check()
    expect(page.get_by_label("User name").first).to_be_hidden()
    expect(page.get_by_text("Certificates", exact=True)).to_be_hidden()
    page.get_by_role("radio", name="by pattern").check()
    expect(page.get_by_label("Topic names")).to_be_hidden()
    expect(page.get_by_role("textbox", name="Pattern")).to_be_visible()


def test_what_is_wrong_is_said_and_what_was_typed_stays_the_password_too(open_window):
    page = open_window().page
    begin(page, "Redis Streams")
    page.get_by_role("radio", name="another", exact=True).check()
    page.get_by_label("Address").fill("redis://nowhere.invalid:6379/0")
    page.get_by_label("Password").fill("geheim-geheim")
    page.get_by_role("button", name="Save").last.click()
    expect(page.locator("#error-config-streams")).to_contain_text("It is needed")
    page.get_by_label("Streams").fill("orders")
    page.get_by_label("Name", exact=True).fill("nowhere")
    page.get_by_role("button", name="Save").last.click()
    alert = page.locator(".unreachable")
    expect(alert).to_contain_text("unknown host", timeout=20_000)
    expect(page.get_by_label("Password")).to_have_value("geheim-geheim")
    page.get_by_role("button", name="Save it without a working connection").click()
    expect(page).to_have_url(re.compile(r"/sources/nowhere/$"), timeout=30_000)
    expect(page.locator("#source")).to_contain_text("unknown host", timeout=40_000)
    assert "geheim-geheim" not in page.content()

    page.get_by_role("link", name="Edit").click()
    assert "geheim-geheim" not in page.content()
    expect(page.get_by_label("Password")).to_be_hidden()
    page.get_by_role("button", name="Replace").click()
    expect(page.get_by_label("Password")).to_be_focused()
    page.get_by_label("Enabled").uncheck()
    page.get_by_role("button", name="Save").last.click()
    expect(page).to_have_url(re.compile(r"/sources/nowhere/$"), timeout=30_000)


def test_without_scripts_a_source_can_be_tested_and_added(browser, product, login_state):
    context = browser.new_context(
        base_url=product.url,
        storage_state=login_state,
        java_script_enabled=False,
        viewport={"width": 1200, "height": 900},
    )
    page = context.new_page()
    begin(page, "PostgreSQL outbox")
    page.get_by_label("Name", exact=True).fill("plain-outbox")
    page.get_by_label("Topics").fill("nothing.here")
    page.get_by_role("button", name="Test").click()
    expect(page.locator("#test")).to_contain_text("The broker answered in")
    expect(page.get_by_label("Topics")).to_have_value("nothing.here")
    page.get_by_role("button", name="Save").last.click()
    expect(page).to_have_url(re.compile(r"/sources/plain-outbox/$"), timeout=30_000)
    context.close()
