from typing import Any

import pytest

from tests.fuzz.amount import WANTED, counted

collect_ignore = [] if WANTED else ["test_schemathesis.py"]


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if WANTED and counted:
        terminalreporter.section("inputs tried")
        for target, number in sorted(counted.items()):
            terminalreporter.line(f"{number:>9,}  {target}")
        terminalreporter.line(f"{sum(counted.values()):>9,}  in all")


@pytest.fixture(autouse=True)
def _quiet(settings: Any) -> None:
    """No retry waits, no throttle: what is asked is answered."""
    settings.API_RATE_LIMIT = 0
