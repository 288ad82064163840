"""What the pages name is there: files, headers, settings."""

import re
from pathlib import Path

import pytest

from dlq import headers
from dlq.edits import identity
from eventhub.events import correlation

ROOT = Path(__file__).resolve().parents[2]
FILE = re.compile(
    r"`((?:eventhub|monitoring|dlq|tests|docs|static|templates|benchmarks|scripts)/[\w./-]+\.\w+)`"
)
# What the guides make; they are examples.
EXAMPLES = {
    "eventhub/traces/quiet.py",
    "templates/traces/quiet.html",
    "monitoring/review/rules/echoing_names.py",
    "docs/review/echoing-names.md",
}


@pytest.mark.parametrize(
    "page", ["architecture.md", "contributing.md", *(f"guides/{g}.md" for g in ("broker", "page", "rule"))]
)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    named = FILE.findall((ROOT / "docs" / page).read_text())
    assert named or page == "contributing.md"
    assert [name for name in named if name not in EXAMPLES and not (ROOT / name).exists()] == []


def test_the_headers_of_the_code_are_on_their_page() -> None:
    page = (ROOT / "docs/reference/headers.md").read_text()
    names = [
        *correlation.HEADERS,
        *(headers.RETRY_OF, headers.ATTEMPT, headers.RETRY_FOR),
        *(identity.EDIT_OF, identity.CAUSED_BY),
    ]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_what_starts_the_product_reads_is_documented() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    code = "".join(
        (ROOT / "eventhub/running" / name).read_text()
        for name in ("options.py", "preparing.py", "services.py")
    )
    names = set(re.findall(r'environ\.get\("([A-Z_]+)"', code)) - {"DEMO_SINS"}  # docs/demo.md has that
    assert sorted(name for name in names if f"`{name}`" not in page) == []
