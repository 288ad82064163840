"""PostgreSQL and Redis for the test run: the ones named in the environment, else embedded ones, started once.

A pytest plugin (``-p tests.services.embedded``), because the settings must find the addresses when they load.
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from eventhub.running.postgres import EmbeddedPostgres
from eventhub.running.redis import EmbeddedRedis
from tests.services.processes import kill_all_below

PREFIX = "eventhub-tests-"

_folder: Path | None = None
_started: list[EmbeddedPostgres | EmbeddedRedis] = []


@pytest.hookimpl(wrapper=True)  # before pytest-django loads the settings
@pytest.hookimpl(tryfirst=True)  # before pytest-django, which loads the settings
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    global _folder
    _remove_what_killed_runs_left()
    os.environ.setdefault("SECRET_KEY", "tests-only")
    _folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    _folder.chmod(0o755)  # the server may run as a user of its own
    os.environ["VAR_DIR"] = str(_folder)
    if "DATABASE_URL" not in os.environ:
        # Nothing in a test database has to survive a power cut.
        postgres = EmbeddedPostgres(
            _folder / "postgres",
            extra_settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
        )
        _started.append(postgres)
        postgres.start()
        os.environ["DATABASE_URL"] = postgres.url
    if "REDIS_URL" not in os.environ:
        redis = EmbeddedRedis(_folder / "redis", durable=False)
        _started.append(redis)
        redis.start()
        os.environ["REDIS_URL"] = redis.url
    return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    while _started:
        _started.pop().stop()
    if _folder is not None:
        shutil.rmtree(_folder, ignore_errors=True)


def _remove_what_killed_runs_left() -> None:
    """A run that was killed could not stop its servers; its process id is in its folder's name."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).split("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)) and folder.owner() == Path.home().owner():
            for data in (folder / "postgres", *folder.glob("*/postgres")):  # and those of single tests
                EmbeddedPostgres(data).stop()
            EmbeddedRedis(folder / "redis").stop()
            kill_all_below(folder)
            shutil.rmtree(folder, ignore_errors=True)
