"""Every page, light and dark, on a desk and in a hand: there, full, silent, not wider than the window, and with nothing
that axe-core finds to keep somebody out (https://github.com/dequelabs/axe-core)."""

import re
import time

import pytest

from tests.services.product import RESULTS

PAGES = (
    "/",
    "/first-steps/",
    "/traces/",
    "/dead-letters/",
    "/dead-letters/jobs/",
    "/dead-letters/edits/",
    "/sources/",
    "/sources/add/",
    "/sources/add/kafka/",
    "/sources/shop/edit/",
    "/figures/",
    "/lag/",
    "/handlers/",
    "/streams/",
    "/projections/",
    "/replays/",
    "/sagas/",
    "/review/",
    "/review/report/",
    "/review/rules/event-soup/",
    "/event-types/",
    "/catalogue/import/",
    "/catalogue/edit/order.placed/",
    "/catalogue/drift/order.placed/",
    "/map/",
    "/processes/",
    "/processes/mined/order.placed/",
    "/alerts/",
    "/wall/",
    "/admin/",
    "/admin/schemas/eventtype/",
    "/admin/schemas/schemaversion/add/",
)
# A page one step further in: the list to start from, and what its links look like.
DETAILS = {
    "trace": ("/traces/", r"^/traces/[^/?]+/$"),
    "dead letter": ("/dead-letters/", r"^/dead-letters/\d+/$"),
    "source": ("/sources/", r"^/sources/[^/?]+/$"),
    "group": ("/lag/", r"^/lag/\d+/$"),
    "handler": ("/handlers/", r"^/handlers/[^/?]+/$"),
    "stream": ("/streams/", r"^/streams/[^/?]+/$"),
    "saga": ("/sagas/", r"^/sagas/\d+/$"),
    "event type": ("/event-types/", r"^/event-types/[^/?]+/$"),
    "finding": ("/review/", r"^/review/\d+/$"),
    "process": ("/processes/", r"^/processes/\d+/$"),
}
WINDOWS = [(1440, "light"), (1440, "dark"), (360, "light"), (360, "dark")]


@pytest.mark.parametrize(("width", "scheme"), WINDOWS)
def test_every_page_fits_is_full_and_silent(open_window, width, scheme):
    visit = open_window(width=width, height=900 if width > 600 else 780, scheme=scheme)
    page = visit.page
    wrong = []
    for path in [*PAGES, *_detail_paths(page, wrong)]:
        visit.complaints.clear()
        response = page.goto(path, wait_until="load")
        page.wait_for_timeout(1200)  # long enough for the live connection and what a page loads by itself
        page.screenshot(path=RESULTS / _file_name(path, width, scheme))
        if response is None or response.status != 200:
            wrong.append(f"{path}: status {response and response.status}")
        wrong += [f"{path}: {complaint}" for complaint in visit.complaints]
        wrong += [f"{path}: too wide: {what}" for what in visit.overflow()]
        wrong += [f"{path}: {barrier}" for barrier in visit.barriers()]
        if len(page.locator("main, #content").first.inner_text()) < 80:
            wrong.append(f"{path}: hardly any content")
    assert not wrong, "\n" + "\n".join(wrong)


def test_the_colour_scheme_of_the_system_is_followed(open_window):
    shades = {}
    for scheme in ("light", "dark"):
        page = open_window(scheme=scheme).page
        page.goto("/sources/")
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        shades[scheme] = sum(int(n) for n in re.findall(r"\d+", colour)[:3])
    assert shades["dark"] < 200 < 600 < shades["light"]


def _detail_paths(page, wrong) -> list[str]:
    found = []
    for name, (path, pattern) in DETAILS.items():
        link = None
        deadline = time.monotonic() + 60
        while link is None and time.monotonic() < deadline:  # the shop's first dead letter takes a moment
            page.goto(path)
            page.wait_for_timeout(500)
            links = page.locator("main a").evaluate_all(
                "links => links.map(a => a.getAttribute('href') || '')"
            )
            link = next((link for link in links if re.match(pattern, link)), None)
        if link:
            found.append(link)
        else:
            wrong.append(f"{path}: no link to a {name}")
    return found


def _file_name(path: str, width: int, scheme: str) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", path.lower()).strip("-") or "overview"
    return f"{name}-{width}-{scheme}.png"
