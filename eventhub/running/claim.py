"""One `up` a folder: whoever runs EventHub on a VAR_DIR holds it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class AlreadyRunning(Exception):
    """Another `up` holds this folder. The text says which, and what to do."""


@contextmanager
def claim(var_dir: Path) -> Iterator[None]:
    """Hold `var_dir` until the block ends or the process dies, however it dies. Raises AlreadyRunning."""
    with (var_dir / "up.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise AlreadyRunning(
                f"EventHub already runs on {var_dir} (process {holder}). Stop that one first, "
                "or give this one a folder and a port of its own: VAR_DIR=… PORT=… make run"
            ) from error
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
