"""The real product for a test: `manage.py up` in a folder and on a port of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from eventhub.running.leftovers import MARK, end_leftovers
from eventhub.running.postgres import EmbeddedPostgres
from eventhub.running.redis import EmbeddedRedis
from tests.services.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
# Logs and screenshots of the last run, for who wants to see what a test saw.
RESULTS = ROOT / "test-results"
# What the test run set for itself; the product finds its own.
NOT_INHERITED = {
    "DATABASE_URL",
    "REDIS_URL",
    "CELERY_BROKER_URL",
    "VAR_DIR",
    "SECRET_KEY",
    "DEBUG",
    "LOG_LEVEL",
}
READY_TIMEOUT_S = 120.0


class Product:
    """`manage.py up`, started, asked, stopped."""

    def __init__(self, var_dir: Path, **environment: str) -> None:
        self.var_dir = var_dir
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.environment = environment
        self.lines: list[str] = []
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> "Product":
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env={**inherited, "VAR_DIR": str(self.var_dir), "PORT": str(self.port), **self.environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        return self

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    def wait_until_ready(self) -> "Product":
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, f"`up` ended by itself:\n{self.output}"
            if self.get("/readyz")[0] == 200:
                return self
            time.sleep(0.3)
        raise AssertionError(f"not ready: {self.get('/readyz')[1]}\n{self.output}")

    def wait_for_line(self, pattern: str, timeout_s: float = 60.0) -> str:
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            for line in list(self.lines):
                if re.search(pattern, line):
                    return line
            time.sleep(0.1)
        raise AssertionError(f"{pattern!r} was not printed:\n{self.output}")

    def get(self, path: str, token: str | None = None) -> tuple[int, str]:
        """Status and body; 0 when nobody answers."""
        request = urllib.request.Request(self.url + path)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def manage(self, *arguments: str) -> str:
        """What a `manage.py` command prints; it finds the databases by VAR_DIR alone."""
        inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env={**inherited, "VAR_DIR": str(self.var_dir)},
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.strip()

    def stop(self, number: signal.Signals = signal.SIGINT, timeout_s: float = 60.0) -> int:
        """Ask it to stop and wait until it has; the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(timeout_s)
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{self.var_dir.name}.log").write_text(self.output)
        return code

    def programs(self) -> dict[str, psutil.Process]:
        """The programs it supervises, by what they are."""
        found = {}
        for process in self.processes():
            command = " ".join(_command(process))
            for name, part in (
                ("web", "uvicorn"),
                ("ingest", "--ingest"),
                ("beat", " beat "),
                ("demo", "manage.py demo"),
            ):
                if part in command:
                    found[name] = process
        return found

    def processes(self) -> list[psutil.Process]:
        """Everything that runs for this product, its databases included."""
        return [process for process in psutil.process_iter() if self._belongs(process)]

    def _belongs(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            if process.environ().get(MARK) == str(self.var_dir):
                return True
        except (psutil.Error, OSError):
            pass
        try:
            # PostgreSQL runs as a user of its own, in its data folder.
            return Path(process.cwd()).is_relative_to(self.var_dir)
        except (psutil.Error, OSError):
            return False

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.lines.append(line.rstrip())

    def readiness(self) -> dict[str, object]:
        """What /readyz says."""
        return json.loads(self.get("/readyz")[1])


@contextmanager
def product_folder() -> Iterator[Path]:
    """A folder for a product's data. Not pytest's own: as root, PostgreSQL runs as a user who may not enter that."""
    folder = Path(tempfile.mkdtemp(prefix="eventhub-product-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        end_leftovers(folder)
        EmbeddedRedis(folder / "redis").stop()
        EmbeddedPostgres(folder / "postgres").stop()
        shutil.rmtree(folder, ignore_errors=True)


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
