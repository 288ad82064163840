"""What every page does by itself: keys, the palette, copying, themes, and what it says when a request fails."""

import re


def test_a_person_gets_everywhere_by_keyboard(open_window):
    page = open_window().page
    page.goto("/")
    page.keyboard.press("g")
    page.keyboard.press("t")
    page.wait_for_url("**/traces/")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.name") == "q"
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    page.keyboard.type("dead")
    page.keyboard.press("Enter")
    page.wait_for_url("**/dead-letters/")
    page.keyboard.press("?")
    assert page.locator("#keys-sheet").is_visible()


def test_a_row_is_chosen_by_j_and_opened_by_enter(open_window):
    page = open_window().page
    page.goto("/traces/")
    page.locator("[data-row]").first.wait_for()
    page.keyboard.press("j")
    assert page.locator("[data-row].is-current").count() == 1
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/traces/[^/?]+/"))


def test_live_numbers_pause_and_go_on(open_window):
    page = open_window().page
    page.goto("/")
    button = page.locator(".live-button")
    page.locator('.live-button[data-live-state="live"]').wait_for()
    button.click()
    page.locator('.live-button[data-live-state="paused"]').wait_for()
    page.keyboard.press("p")
    page.locator('.live-button[data-live-state="live"]').wait_for()


def test_a_chosen_theme_stays_without_a_flash(open_window):
    page = open_window(scheme="light").page
    page.goto("/sources/")
    page.locator(".topbar-theme").click()
    page.reload(wait_until="commit")
    page.wait_for_selector("body", state="attached")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"


def test_a_list_that_could_not_be_loaded_says_so_in_place_and_can_be_tried_again(open_window):
    page = open_window().page
    page.goto("/traces/")
    page.route("**/traces/?*q=*", lambda route: route.fulfill(status=503, body=""))
    page.locator("[data-filter-focus]").fill("order")
    failure = page.locator("[data-failure]")
    failure.wait_for()
    assert "starting or overloaded" in failure.inner_text()
    page.unroute("**/traces/?*q=*")
    failure.get_by_role("button", name="Try again").click()
    page.wait_for_url(re.compile(r"[?&]q=order"))
    assert failure.count() == 0
