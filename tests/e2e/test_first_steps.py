"""The guide on an empty hub without the demo: from the first login to the trace of a test event."""

import re
import time

from playwright.sync_api import expect

from tests.e2e.conftest import PASSWORD, Visit
from tests.services.product import RESULTS, Product, product_folder

# From the first sight of the login page to the trace; a person reads meanwhile, and this machine is busy.
FIRST_INSIGHT_S = 180


def test_from_an_empty_hub_to_a_trace(browser):
    with product_folder() as folder:
        product = Product(folder, ADMIN_PASSWORD=PASSWORD, DEMO="0")
        context = browser.new_context(base_url=product.url, viewport={"width": 1440, "height": 900})
        try:
            product.start().wait_until_ready()
            _walk(Visit(context))
        finally:
            context.close()
            product.stop()


def _walk(visit: Visit) -> None:
    page = visit.page
    began = time.monotonic()
    page.goto("/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/first-steps/")
    page.screenshot(path=RESULTS / "first-steps-1440-light.png")
    assert visit.barriers() == []

    page.get_by_role("button", name="Tap its stream").click()
    expect(page.locator("#first-steps")).to_contain_text("hello is tapped")
    page.get_by_role("button", name="Send it").click()
    # It comes through the broker and a worker; the page finds it by itself.
    page.get_by_role("button", name="Open the trace").click(timeout=60_000)
    page.wait_for_url(re.compile(r"/traces/[^/]+/"))
    expect(page.locator("[data-step]")).to_have_count(2)
    assert time.monotonic() - began < FIRST_INSIGHT_S

    rail = page.get_by_role("navigation", name="Pages")
    expect(rail.get_by_role("link", name="First steps")).to_have_count(0)
    page.get_by_label("Help").click()
    page.get_by_role("link", name="First steps").click()
    expect(page.locator(".guide-step.is-done")).to_have_count(3)
    page.goto("/")
    expect(page.get_by_role("heading", name="Overview")).to_be_attached()
    assert visit.complaints == []
