"""The file that tells every process where the embedded services are.

``manage.py up`` writes ``$VAR_DIR/environment`` (readable by its owner only) with one ``NAME=value`` a line;
the settings read it below the real environment, so that ``manage.py token create`` or a shell finds the same
PostgreSQL and Redis without being told.
"""

import os
from collections.abc import Mapping
from pathlib import Path

FILE_NAME = "environment"


def read_environment(var_dir: Path) -> dict[str, str]:
    """The names and values written by ``manage.py up``; empty where it never ran."""
    try:
        text = (var_dir / FILE_NAME).read_text()
    except (FileNotFoundError, PermissionError):
        return {}
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def write_environment(var_dir: Path, values: Mapping[str, str]) -> None:
    """Write `values` whole or not at all (a temporary file, then a rename), readable by the owner only."""
    temporary = var_dir / f"{FILE_NAME}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.writelines(f"{name}={value}\n" for name, value in sorted(values.items()))
    temporary.replace(var_dir / FILE_NAME)
