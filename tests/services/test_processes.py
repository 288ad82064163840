"""Processes are found again by their record, and by nothing else."""

import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.services.ports import FIRST, LAST, accepts, free_port, is_free
from tests.services.processes import Processes, kill_all_below

SLEEPER = [sys.executable, "-c", "import time; time.sleep(600)"]
# Deaf to a request to end, with a child of its own.
DEAF = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("deaf", flush=True)
time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    (tmp_path / "server").mkdir()
    yield tmp_path / "server"
    kill_all_below(tmp_path)


def test_whoever_comes_later_finds_and_stops_it(folder: Path) -> None:
    Processes(folder).run("server", SLEEPER, folder / "log", os.environ)
    later = Processes(folder)
    (process,) = later.alive().values()
    assert Path(process.cwd()) == folder
    later.stop()
    assert later.alive() == {}
    assert not list(folder.glob("*.pid"))


def test_an_id_that_another_process_got_is_not_taken_for_it(folder: Path) -> None:
    processes = Processes(folder)
    processes.run("server", SLEEPER, folder / "log", os.environ)
    (process,) = processes.alive().values()
    record = json.loads((folder / "server.pid").read_text())
    (folder / "server.pid").write_text(json.dumps({**record, "started": record["started"] - 60}))
    assert processes.alive() == {}
    processes.kill()
    assert process.is_running()
    process.kill()


def test_files_that_are_no_records_are_let_be(folder: Path) -> None:
    (folder / "redis.pid").write_text("1")
    (folder / "half.pid").write_text('{"pid": ')
    assert Processes(folder).alive() == {}


def test_one_that_does_not_hear_is_killed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.services.processes.END_TIMEOUT_S", 0.5)
    processes = Processes(folder)
    processes.run("server", [sys.executable, "-c", DEAF], folder / "log", os.environ)
    deadline = time.monotonic() + 10
    while "deaf" not in (folder / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    processes.stop()
    assert processes.alive() == {}


def test_what_it_started_is_killed_with_it(folder: Path) -> None:
    processes = Processes(folder)
    processes.run("server", [sys.executable, "-c", DEAF], folder / "log", os.environ)
    deadline = time.monotonic() + 10
    while "deaf" not in (folder / "log").read_text() and time.monotonic() < deadline:
        time.sleep(0.05)
    (process,) = processes.alive().values()
    (child,) = process.children()
    kill_all_below(folder.parent)
    assert not process.is_running()
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_ports_are_not_those_that_clients_are_given() -> None:
    port = free_port()
    assert FIRST <= port <= LAST
    assert is_free(port)
    assert not accepts(port)
    # Linux gives outgoing connections a port of this range.
    kernel = Path("/proc/sys/net/ipv4/ip_local_port_range")
    if kernel.exists():
        assert int(kernel.read_text().split()[0]) > LAST
