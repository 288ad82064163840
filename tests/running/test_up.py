"""`manage.py up` as a whole: it comes up, mends itself, stops, and comes up again with what it had."""

import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest

from tests.chaos.whole.faults import Fault
from tests.chaos.whole.installation import EFFECTS, Installation, under_load
from tests.chaos.whole.playing import play
from tests.running.ending import allowed_s
from tests.services.product import ROOT, Product, product_folder

pytestmark = pytest.mark.product


AWAY = """
from eventhub.brokers.models import Source
Source.objects.create(name="away", kind="kafka", config={"bootstrap_servers": "127.0.0.1:1", "topics": ["orders"]})
"""


@pytest.fixture(scope="module")
def var_dir():
    with product_folder() as folder:
        yield folder


@pytest.fixture(scope="module")
def product(var_dir):
    product = Product(var_dir, DEMO="0", EVENT_HANDLERS=EFFECTS)
    yield product.start().wait_until_ready()
    product.stop()


def up_once(var_dir, port: int) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env={**os.environ, "VAR_DIR": str(var_dir), "PORT": str(port), "DEMO": "0"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def wait_for(question, timeout_s: float = 60.0):
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        if answer := question():
            return answer
        time.sleep(0.2)
    raise AssertionError("it did not happen in time")


def test_it_prints_address_and_password_once_and_serves_the_login_page(product):
    product.wait_for_line(r"Stop\s+Ctrl-C")
    assert len(re.findall(r"admin  password  \S{16}", product.output)) == 1
    assert f"{product.url}/" in product.output
    status, body = product.get("/login/")
    assert status == 200
    assert "csrfmiddlewaretoken" in body


def test_a_second_one_on_the_same_folder_is_refused(product, var_dir):
    done = up_once(var_dir, product.port + 1)
    assert done.returncode == 1
    assert "already runs" in done.stderr
    assert product.get("/healthz")[0] == 200


def test_a_second_one_on_the_same_port_is_refused(product, tmp_path):
    done = up_once(tmp_path, product.port)
    assert done.returncode == 1
    assert "PORT=" in done.stderr
    assert not (tmp_path / "postgres").exists()


def test_other_commands_find_its_databases(product):
    token = product.manage("token", "create", "reader", "--scope", "read")
    assert product.get("/api/events?event_id=none", token)[0] == 200
    assert product.get("/api/events?event_id=none", "evh_wrong")[0] == 401


def test_a_killed_ingest_worker_is_started_again_and_the_web_goes_on(product):
    web, ingest = product.programs()["web"], product.programs()["ingest"]
    ingest.kill()
    product.wait_for_line(r"ingest │ was ended by SIGKILL")
    again = wait_for(lambda: product.programs().get("ingest"))
    assert again.pid != ingest.pid
    assert web.is_running()


def test_its_databases_and_workers_killed_under_load_come_back_and_nothing_is_lost_or_doubled(product):
    def happen(hub: Installation) -> None:
        for name in ("ingest", "postgres", "handlers", "redis"):
            hub.kill(name)
            time.sleep(1)

    product.manage("shell", "-c", AWAY)
    password = re.search(r"admin  password  (\S{16})", product.output)[1]
    with under_load(product, ("redis", "http"), {}, password) as hub:
        # How soon all is well again is left to `make chaos`.
        play(hub, Fault("databases and workers killed", happen), late_s=20).assert_survived()
        # A broker that was away all the time stopped its own source only, which says why.
        wait_for(lambda: "Kafka cannot be reached" in hub.status_of("away"))
        assert "failing" in hub.status_of("away")
    product.wait_for_line(r"postgres │ it runs again")
    product.wait_for_line(r"redis │ it runs again")


def test_it_stops_on_ctrl_c_without_a_process_left_and_starts_again_with_its_data(product, var_dir):
    product.manage("token", "create", "kept", "--scope", "read")
    asked_at = time.monotonic()
    assert product.stop(signal.SIGINT) == 0
    # With every program under it, and the databases.
    assert time.monotonic() - asked_at < allowed_s()
    assert "did not stop in time" not in product.output
    assert product.processes() == []
    assert "Stopped." in product.output

    again = Product(var_dir, DEMO="0")
    try:
        again.start().wait_until_ready()
        assert "kept" in again.manage("token", "list")
        again.wait_for_line(r"Stop\s+Ctrl-C")
        assert "shown" not in again.output
    finally:
        asked_at = time.monotonic()
        assert again.stop(signal.SIGTERM) == 0
        assert time.monotonic() - asked_at < allowed_s()
    assert again.processes() == []


def test_after_a_kill_the_next_one_takes_over_what_was_left(var_dir):
    killed = Product(var_dir, DEMO="0").start().wait_until_ready()
    programs = killed.programs()
    killed.process.kill()
    killed.process.wait()
    psutil.wait_procs(programs.values(), timeout=20)

    again = Product(var_dir, DEMO="0")
    try:
        again.start().wait_until_ready()
    finally:
        assert again.stop() == 0
    assert again.processes() == []
