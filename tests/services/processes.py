"""Processes that are found again by who comes later: each is recorded in the folder it works in."""

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import psutil

END_TIMEOUT_S = 30.0


class Processes:
    """What runs in `folder`, whoever started it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._children: list[subprocess.Popen[bytes]] = []

    def run(
        self, name: str, command: Sequence[str | Path], log: Path, environment: Mapping[str, str]
    ) -> None:
        """Start `command` in the folder, recorded as `name`, its output appended to `log`."""
        with log.open("ab") as output:
            child = subprocess.Popen(
                command,
                cwd=self.folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the tests, which stop the servers last
            )
        self._children.append(child)
        # A process id comes back one day; id and start time together do not.
        record = {"pid": child.pid, "started": psutil.Process(child.pid).create_time()}
        (self.folder / f"{name}.pid").write_text(json.dumps(record))

    def alive(self) -> dict[str, psutil.Process]:
        """Those that run now, by name."""
        for child in self._children:
            child.poll()
        found = {}
        for file in self.folder.glob("*.pid"):
            with suppress(psutil.NoSuchProcess, FileNotFoundError, ValueError, KeyError, TypeError):
                record = json.loads(file.read_text())
                process = psutil.Process(record["pid"])
                same = abs(process.create_time() - record["started"]) < 1
                if same and process.status() != psutil.STATUS_ZOMBIE:
                    found[file.stem] = process
        return found

    def stop(self) -> None:
        """Ask them to end and wait until they have; kill those that do not hear."""
        processes = list(self.alive().values())
        _signal(processes, psutil.Process.terminate)
        self._wait_for(processes)

    def kill(self) -> None:
        """End them and what they started, at once, with SIGKILL."""
        processes = [each for process in self.alive().values() for each in (*_descendants(process), process)]
        _signal(processes, psutil.Process.kill)
        self._wait_for(processes)

    def _wait_for(self, processes: list[psutil.Process]) -> None:
        _, alive = psutil.wait_procs(processes, timeout=END_TIMEOUT_S)
        _signal(alive, psutil.Process.kill)
        psutil.wait_procs(alive, timeout=END_TIMEOUT_S)
        for child in self._children:
            child.poll()
        for file in self.folder.glob("*.pid"):
            file.unlink(missing_ok=True)


def kill_all_below(folder: Path) -> None:
    """End what a run that was killed left in the folders inside `folder`."""
    for inner in filter(Path.is_dir, folder.iterdir()):
        Processes(inner).kill()


def inherited_environment() -> dict[str, str]:
    """This process's environment, less what its user set for brokers of their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "KAFKA_"))}


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _signal(processes: Iterable[psutil.Process], send: Callable[[psutil.Process], None]) -> None:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            send(process)
