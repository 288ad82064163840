"""The same traces given to a Zipkin server (in memory) and to EventHub (durably), each through its own HTTP API."""

import http.client
import json
import math
import os
import random
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks import stage
from benchmarks.record import record
from benchmarks.stores import MAIN, SIDE
from tests.services.artifacts import class_path, java
from tests.services.ports import free_port

TRACES = int(os.environ.get("BENCH_ZIPKIN_TRACES", "12000"))
PER_REQUEST = 1_000
CONNECTIONS = 2
LOOKUPS = 300
START_TIMEOUT_S = 120.0


def run() -> bool:
    """Print both rates and both latencies; two lines of the record."""
    traces = list(_traces())
    events = sum(len(trace) for trace in traces)
    ids = [trace[0]["trace"] for trace in random.Random(4).sample(traces, LOOKUPS)]
    with stage.services() as folder:
        with _zipkin(folder) as port:
            spans = _batches([_span(one) for trace in traces for one in trace])
            their_rate = _send(
                port, "/api/v2/spans", spans, events, {}, f"/api/v2/trace/{traces[-1][0]['trace']}"
            )
            theirs = _lookups(port, [f"/api/v2/trace/{one}" for one in ids], {})
        with _eventhub(folder) as (port, ingest, read):
            bodies = _batches([_event(one) for trace in traces for one in trace])
            our_rate = _send(
                port, "/api/events", bodies, events, ingest, f"/api/traces/{traces[-1][0]['trace']}", read
            )
            ours = _lookups(port, [f"/api/traces/{one}" for one in ids], read)
    for name, rate, times in (("Zipkin", their_rate, theirs), ("EventHub", our_rate, ours)):
        print(
            f"{name:>9}: {rate:9,.0f} events/s; trace by id median {statistics.median(times):6.2f} ms,"
            f" p99 {_p(times, 0.99):6.2f} ms",
            flush=True,
        )
    stored = record(
        "zipkin-ingest", value=our_rate, unit="events/s", reference="Zipkin in memory", reference_value=their_rate,
        goal=1.0, better="higher",
    )  # fmt: skip
    found = record(
        "zipkin-trace", value=statistics.median(ours), unit="ms", reference="Zipkin in memory",
        reference_value=statistics.median(theirs), goal=1.0, better="lower",
    )  # fmt: skip
    return stored and found


def _traces() -> Iterator[list[dict[str, object]]]:
    """Traces of long-tailed size, as plain values that both formats are made of."""
    choice = random.Random(11)
    now = datetime.now(UTC) - timedelta(minutes=30)
    for number in range(TRACES):
        size = min(300, math.floor(4.3 * choice.random() ** -0.56))
        trace_id = f"{choice.getrandbits(128):032x}"
        spans: list[dict[str, object]] = []
        for place in range(size):
            kind = MAIN[place] if place < len(MAIN) else SIDE[choice.randrange(len(SIDE))]
            cause = spans[place - 1 if place < len(MAIN) else place // 2]["id"] if place else None
            spans.append(
                {
                    "trace": trace_id, "id": f"{choice.getrandbits(64):016x}", "cause": cause, "type": kind,
                    "service": kind.split(".")[0], "order": number,
                    "at": now + timedelta(milliseconds=number * 100 + place * 190),
                }
            )  # fmt: skip
        yield spans


def _span(one: dict[str, object]) -> dict[str, object]:
    at = one["at"]
    assert isinstance(at, datetime)
    span: dict[str, object] = {
        "traceId": one["trace"], "id": one["id"], "name": one["type"], "kind": "PRODUCER",
        "timestamp": int(at.timestamp() * 1e6), "duration": 190_000,
        "localEndpoint": {"serviceName": one["service"]},
        "tags": {"order_id": str(one["order"]), "total": "129.90", "sku": f"A-{hash(one['id']) % 977}"},
    }  # fmt: skip
    return span | ({"parentId": one["cause"]} if one["cause"] else {})


def _event(one: dict[str, object]) -> dict[str, object]:
    at = one["at"]
    assert isinstance(at, datetime)
    return {
        "event_id": one["id"], "event_type": one["type"], "event_version": "1", "timestamp": at.isoformat(),
        "data": {"order_id": str(one["order"]), "total": "129.90", "sku": f"A-{hash(one['id']) % 977}"},
        "metadata": {"source": one["service"], "correlation_id": one["trace"], "causation_id": one["cause"]},
    }  # fmt: skip


def _batches(values: Sequence[dict[str, object]]) -> list[bytes]:
    return [json.dumps(values[n : n + PER_REQUEST]).encode() for n in range(0, len(values), PER_REQUEST)]


def _send(
    port: int,
    path: str,
    bodies: Sequence[bytes],
    count: int,
    headers: dict[str, str],
    last: str,
    reading: dict[str, str] | None = None,
) -> float:
    """Events a second, from the first request until all are answered and the last trace is found."""
    failures: list[str] = []
    _post(
        http.client.HTTPConnection("127.0.0.1", port), path, bodies[:1], headers, failures
    )  # the server is warm
    started = time.perf_counter()

    def work(mine: Sequence[bytes]) -> None:
        _post(http.client.HTTPConnection("127.0.0.1", port), path, mine, headers, failures)

    threads = [
        threading.Thread(target=work, args=(bodies[1 + n :: CONNECTIONS],)) for n in range(CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while _status(port, last, reading or {}) != 200:
        if time.perf_counter() - started > START_TIMEOUT_S:
            raise TimeoutError(f"{last} was never found")
        time.sleep(0.01)
    if failures:
        raise AssertionError(f"{len(failures)} requests failed, the first: {failures[0]}")
    return (count - PER_REQUEST) / (time.perf_counter() - started)


def _post(
    connection: http.client.HTTPConnection,
    path: str,
    bodies: Sequence[bytes],
    headers: dict[str, str],
    failures: list[str],
) -> None:
    for body in bodies:
        connection.request("POST", path, body, {"Content-Type": "application/json", **headers})
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 202:
            failures.append(f"{answer.status} {text[:300]!r}")
    connection.close()


def _status(port: int, path: str, headers: dict[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except OSError:
        return 0
    finally:
        connection.close()


def _lookups(port: int, paths: Sequence[str], headers: dict[str, str]) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    times = []
    for path in (*paths[:50], *paths):
        started = time.perf_counter()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        times.append((time.perf_counter() - started) * 1000)
        if answer.status != 200:
            raise AssertionError(f"{path}: {answer.status}")
    connection.close()
    return times[50:]


@contextmanager
def _zipkin(folder: Path) -> Iterator[int]:
    port = free_port()
    (jar,) = Path(class_path("zipkin").removesuffix("/*")).glob("*.jar")
    command = [
        java(), "-Xms512m", "-Xmx1500m", "-jar", str(jar), f"--armeria.ports[0].port={port}",
        "--armeria.ports[0].ip=127.0.0.1", "--armeria.ports[0].protocols[0]=http",
        "--zipkin.storage.type=mem", "--zipkin.storage.mem.max-spans=2000000", "--logging.level.root=WARN",
    ]  # fmt: skip
    with _running(command, folder / "zipkin.log", {}) as _:
        _wait_for(port, "/health", folder / "zipkin.log")
        yield port


@contextmanager
def _eventhub(folder: Path) -> Iterator[tuple[int, dict[str, str], dict[str, str]]]:
    from eventhub.access.models import Scope
    from eventhub.access.tokens import create_token
    from eventhub.brokers.models import Kind, Source
    from eventhub.running.options import Options
    from eventhub.running.programs import programs

    Source.objects.get_or_create(name="http", defaults={"kind": Kind.HTTP})
    ingest, read = (
        {"Authorization": f"Bearer {create_token('bench', scope)}"} for scope in (Scope.INGEST, Scope.READ)
    )
    port = free_port()
    web = programs(Options(host="127.0.0.1", port=port, var_dir=folder, demo=False, demo_rate=None))[0]
    environment = {**web.environment, "ALLOWED_HOSTS": "127.0.0.1"}
    with _running(list(web.command), folder / "web.log", environment) as _:
        _wait_for(port, "/healthz", folder / "web.log")
        yield port, ingest, read


@contextmanager
def _running(command: list[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=stage.ROOT, stdout=file, stderr=file, env={**os.environ, **environment}
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def _wait_for(port: int, path: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while _status(port, path, {}) != 200:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)


def _p(times: Sequence[float], q: float) -> float:
    return sorted(times)[max(0, math.ceil(q * len(times)) - 1)]
