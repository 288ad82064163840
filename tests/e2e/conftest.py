"""The real product and a real browser: `manage.py up` with the demo shop playing, Chromium logged in."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Response, sync_playwright

from tests.services.product import Product, product_folder

PASSWORD = "trial-of-the-pages"
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def find_chromium() -> str | None:
    names = [os.environ.get("CHROMIUM", ""), "chromium", "chromium-browser", "google-chrome"]
    return next((found for name in names if name and (found := shutil.which(name))), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="package")
def chromium_path() -> str:
    path = find_chromium()
    if path is None:
        pytest.skip("no Chromium: install it (apt-get install chromium) or name one in CHROMIUM")
    return path


@pytest.fixture(scope="package")
def product(chromium_path: str) -> Iterator[Product]:
    with product_folder() as folder:
        product = Product(folder, ADMIN_PASSWORD=PASSWORD, DEMO_RATE="10")
        try:
            yield product.start().wait_until_ready()
        finally:
            product.stop()


@pytest.fixture(scope="package")
def browser(chromium_path: str) -> Iterator[Browser]:
    # For this package only: while Playwright runs, Django takes the main thread for an asynchronous one.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def login_state(browser: Browser, product: Product, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cookies of a person who has logged in."""
    state = tmp_path_factory.mktemp("browser") / "state.json"
    context = browser.new_context(base_url=product.url)
    page = context.new_page()
    page.goto("/")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    # The overview, or the first steps where the shop has sold nothing yet.
    page.wait_for_url(lambda url: "/login/" not in url)
    context.storage_state(path=state)
    context.close()
    return state


class Visit:
    """A page, with everything it complained about."""

    def __init__(self, context: BrowserContext) -> None:
        self.page: Page = context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", self._console)
        self.page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        self.page.on("response", self._response)

    def overflow(self) -> list[str]:
        """What reaches beyond the right edge of the window; empty when the page does not scroll sideways."""
        found: list[str] = self.page.evaluate(
            """() => {
              const width = document.documentElement.clientWidth;
              if (document.documentElement.scrollWidth <= width) return [];
              return [...document.querySelectorAll("body *")]
                .filter((e) => e.getBoundingClientRect().right > width + 1)
                .slice(0, 8)
                .map((e) => `${e.tagName.toLowerCase()}.${e.className}`);
            }"""
        )
        return found

    def barriers(self) -> list[str]:
        """What axe-core finds: its rule, the first place, and what would mend it."""
        found = Axe().run(self.page).response["violations"]
        return [
            f"{one['id']} ({len(one['nodes'])}): {one['nodes'][0]['html'][:160]}: "
            f"{' '.join(one['nodes'][0]['failureSummary'].split())[:200]}"
            for one in found
        ]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console {message.type}: {message.text}")

    def _response(self, response: Response) -> None:
        if response.status >= 400:
            self.complaints.append(f"{response.status} for {response.url}")


@pytest.fixture
def open_window(browser: Browser, product: Product, login_state: Path):
    """Open a window of a width and a colour scheme, logged in."""
    contexts = []

    def open_(width: int = 1440, height: int = 900, scheme: str = "light") -> Visit:
        context = browser.new_context(
            base_url=product.url,
            storage_state=login_state,
            viewport={"width": width, "height": height},
            color_scheme=scheme,
            reduced_motion="reduce",
        )
        context.set_default_timeout(20_000)
        context.set_default_navigation_timeout(60_000)  # the first pages of a busy machine
        contexts.append(context)
        return Visit(context)

    yield open_
    for context in contexts:
        context.close()
