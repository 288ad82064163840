"""Half an hour at 60 % of what the installation can take: memory stays flat, and pages are there at once.

SOAK_MINUTES=5 makes it shorter; SOAK_PER_S=20000 says the rate instead of measuring it.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.chaos.whole import report
from tests.chaos.whole.installation import TOPIC, Installation, installation
from tests.chaos.whole.load import wait_for
from tests.chaos.whole.memory import Memory
from tests.services.product import ROOT

pytestmark = pytest.mark.chaos
MINUTES = float(os.environ.get("SOAK_MINUTES", "30"))
PER_S = float(os.environ.get("SOAK_PER_S", "0"))
SHARE = 0.6
# More than an installation can take, for a moment.
FLOOD_PER_S = 150_000
FLOOD_S = 2.0
# Caches fill and pools open at first; what grows after that grows for ever.
SETTLING_S = min(300.0, MINUTES * 60 / 3)
PAGE_P99_S = 0.150
# Above noise, and above what PostgreSQL's own buffers take until they are full.
GROWTH_MIB_AN_HOUR = 60.0


def taken_in(hub: Installation) -> int:
    """How many of the poured events there are, by the rollups, which are written with them."""
    sql = "SELECT coalesce(sum(received), 0) FROM rollups_rollup WHERE event_type LIKE 'soak.%%'"
    return int(hub.database.surely(sql)[0][0])


def rows(hub: Installation) -> int:
    """How many there are, counted one by one, however long that takes."""
    with psycopg.connect(hub.database.url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM events_event WHERE event_type LIKE 'soak.%'"
        ).fetchone()
        assert found is not None
        return int(found[0])


@contextmanager
def poured(hub: Installation, per_s: float) -> "Iterator[list[int]]":
    """Events a second into Kafka, from another process; how many there were is in the list afterwards."""
    servers = hub.servers["kafka"].address.bootstrap_servers
    command = [sys.executable, "-m", "tests.chaos.whole.pouring", servers, TOPIC, str(per_s)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    confirmed: list[int] = []
    assert process.stdout is not None
    assert process.stdout.readline() == "pouring\n"
    try:
        yield confirmed
    finally:
        process.terminate()
        said, _ = process.communicate(timeout=120)
        confirmed.append(json.loads(said))


def rate_it_can_take(hub: Installation) -> float:
    """Events a second that are stored while more wait than that."""
    before = taken_in(hub)
    with poured(hub, FLOOD_PER_S) as confirmed:
        time.sleep(FLOOD_S)
    total = before + confirmed[0]
    at = taken_in(hub)
    took = wait_for("the measured events to be stored", lambda: taken_in(hub) >= total, 300, every_s=0.5)
    return (total - at) / took


def test_half_an_hour_of_load_leaves_memory_flat_and_pages_quick() -> None:
    with installation(disk=False) as hub:
        assert hub.pages is not None
        for sender in hub.senders.values():
            sender.begin("soak")
        per_s = PER_S or SHARE * rate_it_can_take(hub)
        memory = Memory(hub)
        looks_from, already = time.time(), taken_in(hub)
        with poured(hub, per_s) as confirmed:
            time.sleep(MINUTES * 60)
        until = time.time()
        memory.stop()
        for sender in hub.senders.values():
            sender.pause()
        took = wait_for("what was poured to be stored", lambda: taken_in(hub) >= already + confirmed[0], 300)
        assert rows(hub) == already + confirmed[0]
        looks = sorted(look.took_s for look in hub.pages.between(looks_from, until))
        failed = [look for look in hub.pages.between(looks_from, until) if look.status != 200]
    p50, p99 = looks[len(looks) // 2], looks[int(len(looks) * 0.99)]
    growth = {name: memory.growth(name, SETTLING_S) for name in memory.samples}
    caption = (
        f"{MINUTES:.0f} minutes at {per_s:,.0f} events a second ({confirmed[0]:,} in all, the last stored {took:.0f} s "
        f"after it was sent), {len(looks):,} pages asked for one after the other: p50 {p50 * 1000:.0f} ms, "
        f"p99 {p99 * 1000:.0f} ms, {len(failed)} failed."
    )
    lines = [
        caption,
        "",
        "| process, with its children | MiB at the end | grows by MiB an hour |",
        "|---|---:|---:|",
        *(f"| {name} | {end:.0f} | {slope:+.1f} |" for name, (end, slope) in growth.items()),
    ]
    print("\n".join(lines))
    report.write("soak", lines)
    assert not failed
    assert p99 < PAGE_P99_S
    assert {name: slope for name, (_, slope) in growth.items() if slope > GROWTH_MIB_AN_HOUR} == {}
