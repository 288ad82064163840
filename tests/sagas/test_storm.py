"""Many instances, steps that fail at random, workers that are killed: each ends completed or undone in reverse."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from urllib.parse import quote

import pytest
from django.conf import settings
from django.db import connection

from eventhub.sagas import declaring
from eventhub.sagas.models import Instance
from tests.sagas import storm_sagas

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def _effects(transactional_db):
    storm = declaring._declared.get(("storm", 1))
    assert storm
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS storm_effect")
        cursor.execute(storm_sagas.SCHEMA)
    yield
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE storm_effect")


def worker(log, folder):
    database = connection.settings_dict
    address = f"postgresql://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}"
    environment = os.environ | {
        "DATABASE_URL": address,
        "REDIS_URL": settings.REDIS_URL,
        "EVENT_HANDLERS": storm_sagas.__name__,
        "VAR_DIR": str(folder),
    }
    return subprocess.Popen(
        [sys.executable, "manage.py", "sagas", "drive"],
        cwd=ROOT, env=environment, stdout=log, stderr=log, start_new_session=True,
    )  # fmt: skip


def storm(folder: Path, count: int, kills: int, timeout_s: float) -> dict[str, int]:
    Instance.objects.bulk_create(
        [Instance(saga="storm", version=1, key=f"o-{n}", correlation_id=f"o-{n}") for n in range(count)],
        batch_size=1000,
    )
    open_ones = Instance.objects.filter(state__in=("running", "compensating"))
    killed_at_work = 0
    with (folder / "workers.log").open("wb") as log:
        workers = [worker(log, folder) for _ in range(2)]
        try:
            deadline = time.monotonic() + timeout_s
            steps = [count * (kills - n) // (kills + 1) for n in range(kills)]
            while (left := open_ones.count()) > 0:
                assert time.monotonic() < deadline, f"{left} are stuck"
                if steps and left <= steps[0]:
                    steps.pop(0)
                    victim = random.choice(workers)
                    os.killpg(victim.pid, signal.SIGKILL)
                    victim.wait()
                    killed_at_work += open_ones.exists()
                    workers[workers.index(victim)] = worker(log, folder)
                assert all(one.poll() is None for one in workers), (folder / "workers.log").read_text()[
                    -2000:
                ]
                time.sleep(0.1)
        finally:
            for one in workers:
                if one.poll() is None:
                    os.killpg(one.pid, signal.SIGKILL)
                one.wait()
    assert killed_at_work, "no kill hit a worker with work to do; the test showed nothing"
    return check(count)


def check(count: int) -> dict[str, int]:
    """Each instance is all done or undone in reverse, never both, and says which."""
    done, undone = defaultdict(list), defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute("SELECT key, step, kind FROM storm_effect ORDER BY id")
        for key, step, kind in cursor.fetchall():
            (done if kind == "do" else undone)[key].append(step)
    tally = {"completed": 0, "compensated": 0}
    for key, state in Instance.objects.values_list("key", "state"):
        tally[state] += 1
        assert len(done[key]) == len(set(done[key])), f"{key} did something twice: {done[key]}"
        if state == "completed":
            assert sorted(done[key]) == sorted(storm_sagas.STEPS), key
            assert not undone[key], key
        else:
            assert undone[key] == done[key][::-1], f"{key}: did {done[key]}, undid {undone[key]}"
            assert len(done[key]) < len(storm_sagas.STEPS)
    assert sum(tally.values()) == count
    assert all(tally.values())
    return tally


def test_a_step_that_ends_its_worker_takes_nobody_with_it_and_waits_for_a_person(tmp_path):
    Instance.objects.create(saga="deadly", version=1, key="bomb", correlation_id="bomb")
    Instance.objects.bulk_create(
        [Instance(saga="deadly", version=1, key=f"o-{n}", correlation_id=f"o-{n}") for n in range(15)]
    )
    with (tmp_path / "workers.log").open("wb") as log:
        deaths, deadline = 0, time.monotonic() + 90
        while (open_ones := Instance.objects.filter(state="running")).exists():
            assert time.monotonic() < deadline, (tmp_path / "workers.log").read_text()[-2000:]
            one = worker(log, tmp_path)
            while one.poll() is None and open_ones.exists() and time.monotonic() < deadline:
                time.sleep(0.1)
            deaths += one.poll() is not None
            if one.poll() is None:
                os.killpg(one.pid, signal.SIGKILL)
            one.wait()
    bomb = Instance.objects.get(key="bomb")
    assert (bomb.state, deaths) == ("parked", 3)
    assert "3 workers ended while they drove it" in bomb.reason
    assert Instance.objects.exclude(key="bomb").exclude(state="completed").count() == 0


def test_hundreds_of_instances_end_completed_or_undone_although_workers_are_killed(tmp_path):
    storm(tmp_path, 400, kills=3, timeout_s=100)


@pytest.mark.chaos
def test_ten_thousand_instances_end_completed_or_undone_although_workers_are_killed(tmp_path):
    print(storm(tmp_path, 10_000, kills=20, timeout_s=1_200))
