"""The tutorials, word by word: every command answers as the page says, every address they lead to is there."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.services.product import NOT_INHERITED, ROOT, Product

TUTORIALS = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
HOME = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^```console\n(.*?)^```", re.M | re.S)
# What is printed between two commands, so that each one's output is found again.
MARK = "---8<---"


def commands(page: Path) -> list[tuple[str, list[str]]]:
    """The page's commands with the lines that they are to print; `…` stands for anything."""
    found: list[tuple[str, list[str]]] = []
    for block in BLOCK.findall(page.read_text()):
        lines = iter(block.splitlines())
        for line in lines:
            if not line.startswith("$ "):
                found[-1][1].append(line)
                continue
            command = line[2:]
            if ending := re.search(r"<<'(\w+)'", command):
                while not command.endswith("\n" + ending[1]):
                    command += "\n" + next(lines)
            while _is_open(command):
                command += "\n" + next(lines)
            found.append((command, []))
    return found


def _is_open(command: str) -> bool:
    """Whether a quoted text goes on in the next line."""
    asked = ["bash", "-n", "-c", command]
    return "unexpected EOF" in subprocess.run(asked, capture_output=True, text=True, check=False).stderr


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_every_command_of_a_tutorial_works(page: Path, product: Product) -> None:
    steps = commands(page)
    assert steps
    script = "set -e\n" + "".join(f"{command}\necho '{MARK}'\n" for command, _ in steps)
    inherited = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
    try:
        ran = subprocess.run(
            ["bash", "-c", script.replace(HOME, product.url)],
            cwd=ROOT,
            env={**inherited, "VAR_DIR": str(product.var_dir)},
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
    finally:
        (ROOT / "loyalty_points.py").unlink(missing_ok=True)  # where a tutorial ended before its last command
    outputs = ran.stdout.split(f"{MARK}\n")
    assert ran.returncode == 0, f"after {len(outputs) - 1} commands: {ran.stderr}\n{ran.stdout[-2000:]}"
    for (command, expected), output in zip(steps, outputs, strict=False):
        for line in expected:
            pattern = ".*".join(re.escape(part) for part in line.split("…"))
            assert re.search(pattern, output), f"{command}\nprints {output!r}\nand not {line!r}"


def test_every_address_of_the_tutorials_is_there(open_window) -> None:
    visit = open_window()
    wrong = []
    for page in TUTORIALS:
        for path in re.findall(rf"\]\({HOME}(/[^)]*)\)", page.read_text()):
            answer = visit.page.request.get(path)
            if answer.status != 200:
                wrong.append(f"{page.name}: {path}: {answer.status}")
    assert not wrong
