"""What every test run has: a word about what was skipped, and with REQUIRE_ALL=1 nothing may be."""

import os
from collections.abc import Generator
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from django.db import connection
from xdist.scheduler import LoadScopeScheduling

from eventhub.brokers.secrets import scrubbing


@pytest.fixture(autouse=True)
def _forget_committed_events(request: pytest.FixtureRequest) -> Generator[None]:
    """Committed events outlive a test that commits: the table refuses to be emptied, which is the point of it."""
    marker = request.node.get_closest_marker("django_db")
    commits = (marker and marker.kwargs.get("transaction")) or "transactional_db" in request.fixturenames
    if commits:
        request.getfixturevalue("transactional_db")  # so that this ends before the database is out of reach
    yield
    if commits:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")  # triggers do not fire
            cursor.execute("DELETE FROM events_event")
            cursor.execute("SET session_replication_role = DEFAULT")


@pytest.fixture(autouse=True)
def _forget_secrets() -> Generator[None]:
    """What one test calls a password is an ordinary word in the next."""
    yield
    scrubbing._known.clear()
    scrubbing._pattern = None


@pytest.fixture(autouse=True)
def _forget_marks_and_steps() -> None:
    """What one test marks as personal, and how it upcasts events, is not so in the next."""
    from eventhub.schemas.personal.marks import fields
    from eventhub.schemas.personal.sealing import known_keys
    from eventhub.schemas.upcasting.catalogue import known_steps

    for known in (fields, known_keys, known_steps):
        known.forget()


def pytest_configure(config: pytest.Config) -> None:
    # Logging in is not what is tested; a slow hash would be most of its time.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # How long an example takes says how busy the machine is, and nothing of what is shown.
    hypothesis.settings.register_profile(
        "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
    )
    hypothesis.settings.load_profile("busy")


# Modules whose tests let real loops, services and processes run for seconds: not part of `make test-unit`, which
# stays under a minute.
SLOW = {
    "access/test_matrix.py",
    "demo/test_services_on_redis.py",
    "demo/test_shop.py",
    "demo/test_stories.py",
    "handlers/test_storm.py",
    "ingest/test_loop.py",
    "ingest/test_malformed.py",
    "monitoring/test_live.py",
    "running/test_checks.py",
    "running/test_sigterm.py",
    "running/test_supervisor.py",
    "outbox/test_killed_relay.py",
    "sagas/test_storm.py",
    "sourcing/test_crowd.py",
    "sqs/test_account.py",
    "sqs/test_adapter.py",
    "sqs/test_failing.py",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if f"{item.path.parent.name}/{item.path.name}" in SLOW:
            item.add_marker(pytest.mark.slow)


class _OneProductAtATime(LoadScopeScheduling):
    """The tests of a file run in one process, and so do all that drive the browser: they share a product."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "tests/e2e" if file.startswith("tests/e2e/") else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _OneProductAtATime(config, log)


def _skipped(config: pytest.Config) -> int:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return len(reporter.stats.get("skipped", [])) if reporter else 0


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if os.environ.get("REQUIRE_ALL") == "1" and exitstatus == 0 and _skipped(session.config):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if os.environ.get("REQUIRE_ALL") == "1" and (count := _skipped(config)):
        terminalreporter.section("REQUIRE_ALL=1", red=True)
        terminalreporter.line(
            f"{count} tests were skipped (the reasons stand above), and none may be: this run failed."
        )
