"""Processes of an earlier run that outlived it.

Every process of EventHub carries the folder it works for in its environment, so that it is known again whatever
became of its parents.
"""

import signal
from contextlib import suppress
from pathlib import Path

import psutil

MARK = "EVENTHUB_SUPERVISED"
GRACE_S = 5.0


def end_leftovers(var_dir: Path) -> int:
    """End what still runs for `var_dir`: asked first, killed after a grace. Returns how many there were."""
    found = [process for process in psutil.process_iter() if _is_left(process, var_dir)]
    for process in found:
        _signal(process, kill=False)
    _, alive = psutil.wait_procs(found, timeout=GRACE_S)
    for process in alive:
        _signal(process, kill=True)
    psutil.wait_procs(alive, timeout=GRACE_S)
    return len(found)


def _is_left(process: psutil.Process, var_dir: Path) -> bool:
    try:
        return process.environ().get(MARK) == str(var_dir) and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):  # another user's, or just gone
        return False


def _signal(process: psutil.Process, *, kill: bool) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGKILL if kill else signal.SIGTERM)
