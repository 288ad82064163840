"""Whether the memory of an ingest worker is bounded by the batch, whatever the backlog."""

from pathlib import Path

from benchmarks import stage
from benchmarks.record import record

SMALL, LARGE = 20_000, 200_000
GOAL = 1.2


def run() -> bool:
    """The highest resident memory of a worker with a backlog of 200,000 events, beside one of 20,000."""
    with stage.services() as folder:
        small = _peak_mb(folder, "small", SMALL)
        large = _peak_mb(folder, "large", LARGE)
    return record(
        "ingest-memory",
        value=large,
        unit="MB",
        reference=f"backlog of {SMALL:,} events instead of {LARGE:,}",
        reference_value=small,
        goal=GOAL,
        better="lower",
    )


def _peak_mb(folder: Path, name: str, backlog: int) -> float:
    from eventhub.brokers.models import Kind, Source

    stage.fill(f"bench.{name}", list(stage.bodies(backlog)))
    Source.objects.all().update(enabled=False)
    Source.objects.create(name=name, kind=Kind.REDIS, config={"streams": [f"bench.{name}"]})
    with stage.ingest_worker(name, folder) as worker:
        stage.wait_for_messages(name, backlog, timeout_s=300)
        return _high_water_mark_kb(worker.pid) / 1024


def _high_water_mark_kb(pid: int) -> int:
    """The most resident memory that a process ever had, in kB, as Linux keeps it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise RuntimeError(f"/proc/{pid}/status has no VmHWM; this benchmark needs Linux")
