"""What EventHub consists of when it runs on one machine: six programs."""

import sys
from dataclasses import dataclass, field
from pathlib import Path

from eventhub.running.options import Options

ROOT = Path(__file__).resolve().parents[2]
PYTHON = sys.executable
CELERY = (PYTHON, "-m", "celery", "--quiet", "-A", "eventhub")


@dataclass(frozen=True)
class Program:
    """A command to keep running."""

    name: str
    command: tuple[str, ...]
    # Added to the environment that all of them share.
    environment: dict[str, str] = field(default_factory=dict)


def programs(options: Options) -> list[Program]:
    """What to run for `options`, in the order of starting. The Procfile says the same for other supervisors."""
    wanted = [
        Program(
            "web",
            (
                *(PYTHON, "-m", "uvicorn", "eventhub.asgi:application"),
                *("--host", options.host, "--port", str(options.port)),
                *("--lifespan", "on", "--log-level", "warning", "--no-access-log"),
                *("--ws-per-message-deflate", "false"),  # a snapshot is small, and goes to very many pages
                *("--timeout-graceful-shutdown", "3"),  # a page that watches live keeps its socket open
            ),
            {"DATABASE_POOL": "1"},
        ),
        Program(
            "ingest",
            (
                *(*CELERY, "worker", "--ingest", "--pool", "threads", "--concurrency", "1"),
                *("--queues", "ingest", "--hostname", "ingest@%h", "--loglevel", "WARNING"),
            ),
        ),
        # Apart from each other: a worker takes from its queues in turn, and the one with less to do would be held up.
        Program(
            "tasks",
            (
                *(*CELERY, "worker", "--concurrency", "2"),
                *("--queues", "tasks", "--hostname", "tasks@%h", "--loglevel", "WARNING"),
            ),
        ),
        Program(
            "handlers",
            (
                *(*CELERY, "worker", "--concurrency", "2"),
                *("--queues", "handlers", "--hostname", "handlers@%h", "--loglevel", "WARNING"),
            ),
        ),
        Program("beat", (*CELERY, "beat", "--loglevel", "WARNING", "--pidfile=")),
    ]
    if options.demo:
        rate = () if options.demo_rate is None else ("--rate", f"{options.demo_rate:g}")
        wanted.append(Program("demo", (PYTHON, "manage.py", "demo", *rate)))
    return wanted
