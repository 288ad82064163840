"""PostgreSQL and Redis for the test run: the ones named in the environment, else embedded ones, started once.

A pytest plugin (``-p tests.services.embedded``), because the settings must find the addresses when they load.

With several processes (``-n 2``) each has a pair of its own, and the one that hands out the tests has none.
"""

import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from eventhub.running.postgres import EmbeddedPostgres
from eventhub.running.redis import EmbeddedRedis
from tests.services.ports import LANE
from tests.services.processes import kill_all_below

PREFIX = "eventhub-tests-"
# Where the folder of the whole run is, for its processes.
RUN_DIR = "EVENTHUB_TEST_RUN_DIR"
# What who hands out the tests puts in place of what was not named: its own settings load, and nothing answers there.
NOWHERE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nowhere", "REDIS_URL": "redis://127.0.0.1:1/0"}

_folder: Path | None = None
_started: list[EmbeddedPostgres | EmbeddedRedis] = []


@pytest.hookimpl(wrapper=True)  # before pytest-django loads the settings
@pytest.hookimpl(tryfirst=True)  # before pytest-django, which loads the settings
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    global _folder
    if "PYTEST_XDIST_WORKER" not in os.environ:
        _remove_what_killed_runs_left()
    os.environ.setdefault("SECRET_KEY", "tests-only")
    _folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    _folder.chmod(0o755)  # the server may run as a user of its own
    os.environ["VAR_DIR"] = str(_folder)
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ[RUN_DIR] = str(_folder)
        if getattr(early_config.known_args_namespace, "numprocesses", None):
            os.environ.update({name: url for name, url in NOWHERE.items() if name not in os.environ})
            return (yield)
    else:
        number = os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")
        os.environ[LANE] = f"{number}/{os.environ['PYTEST_XDIST_WORKER_COUNT']}"
    if os.environ.get("DATABASE_URL", NOWHERE["DATABASE_URL"]) == NOWHERE["DATABASE_URL"]:
        # Nothing in a test database has to survive a power cut.
        postgres = EmbeddedPostgres(
            _folder / "postgres",
            extra_settings={"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"},
        )
        _started.append(postgres)
        postgres.start()
        os.environ["DATABASE_URL"] = postgres.url
    if os.environ.get("REDIS_URL", NOWHERE["REDIS_URL"]) == NOWHERE["REDIS_URL"]:
        redis = EmbeddedRedis(_folder / "redis", durable=False)
        _started.append(redis)
        redis.start()
        os.environ["REDIS_URL"] = redis.url
    return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    while _started:
        _started.pop().stop()
    if _folder is not None:
        kill_all_below(_folder)  # the brokers that the processes of this run had in common
        shutil.rmtree(_folder, ignore_errors=True)


def _remove_what_killed_runs_left() -> None:
    """A run that was killed could not stop its servers; its process id is in its folder's name."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*-*"):
        pid = folder.name.removeprefix(PREFIX).split("-")[0]
        # Another run that begins just now may be at it, too.
        with suppress(FileNotFoundError):
            if not pid.isdigit() or psutil.pid_exists(int(pid)) or folder.owner() != Path.home().owner():
                continue
            for data in (folder / "postgres", *folder.glob("*/postgres")):  # and those of single tests
                EmbeddedPostgres(data).stop()
            EmbeddedRedis(folder / "redis").stop()
            kill_all_below(folder)
            shutil.rmtree(folder, ignore_errors=True)
