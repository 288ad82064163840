"""A person goes through dead letters without a mouse: moves, chooses, retries, discards, edits, asks for the keys."""

import re

import pytest
import redis
from playwright.sync_api import expect

from eventhub.running.environment import read_environment


@pytest.fixture
def unreadable(product):
    """Four messages that are no events, in one group."""
    client = redis.Redis.from_url(read_environment(product.var_dir)["EMBEDDED_REDIS_URL"])
    for n in range(4):
        client.xadd("shop.payments", {"body": f'{{"parcel": {n}'})
    client.close()


def test_letters_are_worked_through_by_keyboard(open_window, unreadable):
    visit = open_window()
    page = visit.page
    address = "/dead-letters/?group=all&reason=undecodable"
    rows = page.locator("[data-row]")
    for _ in range(60):
        page.goto(address)
        if rows.count() >= 4:
            break
        page.wait_for_timeout(1000)
    current, chosen, bar, sheet = (
        page.locator(css)
        for css in ("[data-row].is-current", "[data-letter]:checked", "[data-choice]", "#sheet")
    )

    page.keyboard.press("j")
    page.keyboard.press("j")
    expect(current).to_have_count(1)
    second = current.get_attribute("id")
    page.keyboard.press("x")
    expect(chosen).to_have_count(1)
    page.keyboard.press("k")
    assert current.get_attribute("id") != second
    page.keyboard.press("x")
    expect(chosen).to_have_count(2)
    expect(bar).to_be_visible()
    expect(bar).to_contain_text("2")

    page.keyboard.press("r")
    expect(sheet).to_contain_text(re.compile("2.*letters"))
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()
    page.keyboard.press("d")
    expect(sheet.locator("[name=reason]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()

    page.keyboard.press("?")
    keys = page.locator("#keys-sheet")
    expect(keys).to_be_visible()
    for what in ("choose", "retry", "discard", "edit"):
        expect(keys).to_contain_text(re.compile(what, re.IGNORECASE))
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(chosen).to_have_count(0)

    page.keyboard.press("j")
    page.keyboard.press("e")
    page.wait_for_url(re.compile(r"/dead-letters/\d+/edit/"))
    page.go_back()
    rows.first.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/dead-letters/\d+/$"))
    assert visit.complaints == []
