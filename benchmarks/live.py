"""How soon an event is on an open Overview, and how many pages one web process keeps live; over real WebSockets."""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import psutil
import websockets
from confluent_kafka import Producer

from benchmarks import brokers, stage, topics
from benchmarks.record import record
from tests.services.ports import free_port

RATE = 5_000
RUNS_FOR_S = 90.0
WARM_UP_S = 12.0
PROBE_EVERY_S = 0.37
PROBE_NAMES = 60
GOAL_S = 1.5
PAGES = 1_000
WATCHED_FOR_S = 40.0
PARTITIONS = 4


def run_latency() -> bool:
    """The 99th percentile from an event's publishing until a page's snapshot tells of it, under 5,000 events/s."""
    with stage.services() as folder, brokers.kafka(folder) as kafka:
        from eventhub.brokers.models import Kind, Source

        name = brokers.new_name("live")
        servers = kafka.bootstrap_servers
        with topics.topic(servers, name, PARTITIONS, []):
            Source.objects.create(
                name=name,
                kind=Kind.KAFKA,
                config={"bootstrap_servers": servers, "topics": [name], "group": name},
            )
            with stage.ingest_worker("live", folder), web(folder) as (port, _):
                publishing = Publishing(servers, name)
                publishing.start()
                try:
                    seen = asyncio.run(_watch(port, session(), publishing))
                finally:
                    publishing.stop()
    latencies = sorted(seen)
    p99 = latencies[int(len(latencies) * 0.99)]
    print(
        f"{len(latencies)} probes among {publishing.rate:,.0f} events/s: median {statistics.median(latencies):.2f} s, "
        f"p99 {p99:.2f} s, longest {latencies[-1]:.2f} s",
        flush=True,
    )
    if publishing.rate < 0.98 * RATE:
        raise AssertionError(f"only {publishing.rate:,.0f} events/s were published")
    return record(
        "live-latency",
        value=p99,
        unit="s",
        reference="the time in which an event is to be on an open Overview",
        reference_value=GOAL_S,
        goal=1.0,
        better="lower",
    )


def run_fanout() -> bool:
    """The 99th percentile of a tick's way to 1,000 open pages of one web process, which has one core for it."""
    with stage.services() as folder:
        from eventhub.brokers.models import Kind, Source

        for number in range(8):
            Source.objects.create(name=f"s{number}", kind=Kind.REDIS, config={"streams": [f"s{number}"]})
        with web(folder) as (port, process):
            command = [sys.executable, "-m", "benchmarks.live", str(port), session()]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=stage.ROOT) as pages:
                if pages.stdout is None or pages.stdout.readline() != "open\n":
                    raise AssertionError("the pages could not all be opened")
                before, began = _cpu_s(process), time.monotonic()
                told = json.loads(pages.stdout.readline())
                cores = (_cpu_s(process) - before) / (time.monotonic() - began)
    delays = sorted(told["delays"])
    p99 = delays[int(len(delays) * 0.99)]
    print(
        f"{PAGES:,} pages, {told['ticks']} ticks of {told['bytes']:,} bytes, {len(delays):,} deliveries of "
        f"{PAGES * told['ticks']:,}: median {statistics.median(delays):.2f} s, p99 {p99:.2f} s; {cores:.2f} cores",
        flush=True,
    )
    if len(delays) < PAGES * told["ticks"]:
        raise AssertionError(f"{PAGES * told['ticks'] - len(delays):,} ticks did not arrive")
    if cores >= 1.0:
        raise AssertionError(f"the web process takes {cores:.2f} cores")
    return record(
        "live-fanout",
        value=p99,
        unit="s",
        reference=f"the time in which a tick is to reach all of {PAGES:,} pages",
        reference_value=1.0,
        goal=1.0,
        better="lower",
    )


class Publishing(threading.Thread):
    """Sends 5,000 events a second, and now and then one of a type of its own whose way is timed."""

    def __init__(self, servers: str, topic: str) -> None:
        super().__init__(daemon=True)
        self._producer = Producer({"bootstrap.servers": servers, "linger.ms": 5})
        self._topic = topic
        self._stopping = threading.Event()
        # When each probe was sent, by its event type; in Unix seconds.
        self.sent: dict[str, float] = {}
        self.rate = 0.0

    def run(self) -> None:
        """Until stopped."""
        bodies = list(stage.bodies(20_000))
        # What is published again is stored once: each gets an id that it did not have.
        began, count, next_probe, probe = time.monotonic(), 0, time.monotonic() + WARM_UP_S, 0
        while not self._stopping.is_set():
            due = int((time.monotonic() - began) * RATE)
            while count < due:
                self._send(bodies[count % len(bodies)].replace(b'"event_id": "', b'"event_id": "%d-' % count))
                count += 1
            if time.monotonic() > next_probe:
                next_probe += PROBE_EVERY_S
                event_type = f"probe.n{probe % PROBE_NAMES}"
                probe += 1
                self.sent[event_type] = time.time()
                self._send(
                    json.dumps({"event_id": str(uuid4()), "event_type": event_type, "data": {}}).encode()
                )
            self._producer.poll(0)
            time.sleep(0.01)
        self.rate = count / (time.monotonic() - began)

    def stop(self) -> None:
        """Send no more, and wait until the broker has it all."""
        self._stopping.set()
        self.join()
        self._producer.flush(30)

    def _send(self, body: bytes) -> None:
        self._producer.produce(self._topic, body)


async def _watch(port: int, cookie: str, publishing: Publishing) -> list[float]:
    """How long each probe took until a snapshot told of it. Probes of the last seconds are not waited for."""
    seen: list[float] = []
    told: dict[str, float] = {}
    end = time.monotonic() + RUNS_FOR_S
    async with _page(port, cookie) as socket:
        while time.monotonic() < end:
            snapshot = json.loads(await asyncio.wait_for(socket.recv(), 10))
            now = time.time()
            for one in snapshot["recent"]["types"]:
                sent_at = publishing.sent.get(one["name"])
                if sent_at is not None and told.get(one["name"]) != sent_at and sum(one["counts"]):
                    told[one["name"]] = sent_at
                    seen.append(now - sent_at)
    overdue = [name for name, at in publishing.sent.items() if told.get(name) != at and time.time() - at > 5]
    if overdue:
        raise AssertionError(f"{len(overdue)} probes never arrived")
    return seen


async def _pages(port: int, cookie: str) -> None:
    """Open the pages, say so, read for a while, and tell how late each tick came to each."""
    pages = Pages()
    reading: list[asyncio.Task[None]] = []
    for _ in range(PAGES // 50):
        sockets = await asyncio.gather(*(_page(port, cookie) for _ in range(50)))
        reading += [asyncio.create_task(pages.read(socket)) for socket in sockets]
    print("open", flush=True)
    opened_at = time.time()
    pages.until = time.monotonic() + WATCHED_FOR_S
    await asyncio.gather(*reading)
    # Ticks that were taken when all pages were open; the last ones are not the same for every page.
    ticks = {tick: datetime.fromisoformat(tick.rstrip('",')).timestamp() for tick in sorted(pages.arrivals)}
    whole = [tick for tick, taken_at in ticks.items() if taken_at > opened_at][:-3]
    delays = [at - ticks[tick] for tick in whole for at in pages.arrivals[tick]]
    size = int(statistics.mean(pages.sizes))
    print(json.dumps({"ticks": len(whole), "delays": delays, "bytes": size}), flush=True)


class Pages:
    """What arrived at all pages. They read from when they are open, as browsers do."""

    def __init__(self) -> None:
        self.until = float("inf")
        # When each tick came to each page, by the moment that it tells of.
        self.arrivals: dict[str, list[float]] = {}
        self.sizes: list[int] = []

    async def read(self, socket: websockets.ClientConnection) -> None:
        """Be one page."""
        while time.monotonic() < self.until:
            text = str(await asyncio.wait_for(socket.recv(), 30))
            self.arrivals.setdefault(text[7:34], []).append(time.time())
            self.sizes.append(len(text))


def _page(port: int, cookie: str) -> websockets.connect:
    return websockets.connect(
        f"ws://127.0.0.1:{port}/ws/live/",
        origin=websockets.Origin(f"http://127.0.0.1:{port}"),
        additional_headers={"Cookie": f"sessionid={cookie}"},
        open_timeout=60,
        ping_interval=None,
        max_size=None,
    )


@contextmanager
def web(folder: Path) -> Iterator[tuple[int, psutil.Process]]:
    """One web process as the Procfile starts it."""
    port = free_port()
    line = next(one for one in (stage.ROOT / "Procfile").read_text().splitlines() if one.startswith("web:"))
    words = line.split()[2:]
    words = [
        word.replace("${HOST:-127.0.0.1}", "127.0.0.1").replace("${PORT:-8000}", str(port)) for word in words
    ]
    with (folder / "web.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=stage.ROOT,
            stdout=log,
            stderr=log,
            env={**os.environ, "DATABASE_POOL": "1"},
        )
        try:
            _wait_until_up(port)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_up(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


def session() -> str:
    """The session of somebody who is logged in."""
    from django.contrib.auth.models import User
    from django.test import Client

    client = Client()
    client.force_login(User.objects.create_user(f"viewer-{uuid4().hex[:6]}"))
    return client.cookies["sessionid"].value


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    asyncio.run(_pages(int(sys.argv[1]), sys.argv[2]))
