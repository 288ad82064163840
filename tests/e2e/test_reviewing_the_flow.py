"""From a finding to the events that show it, and a decision about it."""

from playwright.sync_api import expect


def test_a_finding_shows_its_events_and_is_accepted(open_window):
    visit = open_window()
    page = visit.page
    finding = page.locator(
        ".review-finding .row-link", has_text="recommendation publishes events that belong"
    )
    page.goto("/review/")
    expect(finding).to_be_visible(timeout=90_000)  # the list asks anew by itself
    finding.click()
    for question in ("What", "What instead", "Show me", "Why it matters", "Where, since when"):
        expect(page.get_by_role("heading", name=question, exact=True)).to_be_visible()
    address = page.url

    page.locator(".review-evidence").first.click()
    expect(page.get_by_role("main")).to_contain_text("recommendation.updated")

    page.goto(address)
    page.get_by_label("Why", exact=True).fill("The team mends it next month")
    page.get_by_role("button", name="Accept").click()
    expect(page.get_by_role("main")).to_contain_text("Accepted by admin")
    page.get_by_role("button", name="Open again").click()
    expect(page.get_by_role("button", name="Accept")).to_be_visible()
    assert visit.complaints == []
