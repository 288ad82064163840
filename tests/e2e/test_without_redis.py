"""With Redis down everything is still there but what is live, and the page says so; when it is back, so is the rest."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import psutil
import pytest
from playwright.sync_api import Locator, Page, expect

from eventhub.running.environment import read_environment
from tests.e2e.test_first_minutes import send_events
from tests.services.product import Product

PAGES = (
    "/traces/",
    "/dead-letters/",
    "/lag/",
    "/sources/",
    "/map/",
    "/event-types/",
    "/handlers/",
    "/alerts/",
)
BACK_WITHIN_MS = 90_000
pytestmark = pytest.mark.chaos  # minutes: what went away has to come back by itself


@contextmanager
def redis_down(product: Product) -> Iterator[None]:
    """Killed, and its port held by somebody who answers nobody, so that `up` cannot start it again yet."""
    port = urlsplit(read_environment(product.var_dir)["REDIS_URL"]).port
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        deadline = time.monotonic() + 30
        while not _takes(squatter, port):
            # `up` may have been quicker and started it again.
            with suppress(psutil.NoSuchProcess):
                psutil.Process(int((product.var_dir / "redis" / "redis.pid").read_text())).kill()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        squatter.listen()
        threading.Thread(target=_hang_up, args=(squatter,), daemon=True).start()
        try:
            product.wait_for_line(r"redis │ Another program")
            yield
        finally:
            squatter.shutdown(socket.SHUT_RDWR)  # whoever accepts lets go of it


def _hang_up(squatter: socket.socket) -> None:
    """On everybody who calls, until it is closed."""
    with suppress(OSError):
        while True:
            squatter.accept()[0].close()


def _takes(squatter: socket.socket, port: int | None) -> bool:
    try:
        squatter.bind(("127.0.0.1", port))
    except OSError:
        return False
    return True


def live_button(page: Page, state: str) -> Locator:
    return page.locator(f'.live-button[data-live-state="{state}"]')


def test_pages_are_served_and_say_that_nothing_is_live_until_redis_is_back(open_window, product):
    token = product.manage("token", "create", "without-redis", "--scope", "ingest")
    page = open_window().page
    page.goto("/traces/")
    live_button(page, "live").wait_for(timeout=30_000)
    with redis_down(product):
        live_button(page, "slow").wait_for(timeout=60_000)
        expect(page.locator(".live-button")).to_have_text("Every 2 s")
        send_events(product, token, 5)
        other = open_window().page
        for address in PAGES:
            assert other.goto(address).status == 200, address
        other.goto("/traces/?q=type:browser.opened")
        expect(other.locator('a[href="/traces/visit-0/"]').first).to_be_visible()
    live_button(page, "live").wait_for(timeout=BACK_WITHIN_MS)
    product.wait_until_ready()
