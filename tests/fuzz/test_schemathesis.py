"""Schemathesis over HTTP against a running server: only with `make fuzz`, which installs it."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from eventhub.access.models import Scope
from tests.access.people import script
from tests.fuzz.amount import WANTED, counted

PROGRAM = Path(__file__).parents[2] / "var/fuzz/bin/schemathesis"
# Testing and previewing a source that is made up waits for a broker that is not there.
NOT_ASKED = "/api/source-drafts/|/api/sources/[^/]+/(test|preview)"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("scope", [Scope.CONFIGURE, Scope.INGEST], ids=str)
def test_schemathesis_finds_no_server_error(scope: Scope, live_server: Any) -> None:
    each = max(20, int(WANTED * (0.10 if scope == Scope.CONFIGURE else 0.01) / 85))
    command = [
        str(PROGRAM), "run", f"{live_server.url}/api/openapi.json",
        "--header", f"Authorization: {script(scope)['authorization']}",
        "--checks", "not_a_server_error", "--phases", "examples,coverage,fuzzing",
        # One worker: on two threads, CPython 3.11 stumbles over its own parser ("AST constructor recursion depth").
        "--max-examples", str(each), "--request-timeout", "20", "--workers", "1", "--continue-on-failure",
        "--exclude-path-regex", NOT_ASKED, "--warnings", "off", "--no-color", "--seed", "7",
        "--suppress-health-check", "all",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROGRAM.parents[2])
    said = done.stdout + done.stderr
    for number in re.findall(r"(\d[\d,]*) generated", said):
        counted[f"schemathesis, scope {scope.value}"] = int(number.replace(",", ""))
    assert done.returncode == 0, said[-6000:]
