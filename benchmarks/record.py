"""One line of the record for each benchmark: ``var/bench.jsonl``."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

FILE = Path(os.environ.get("VAR_DIR", "var")) / "bench.jsonl"


def record(
    name: str,
    *,
    value: float,
    unit: str,
    reference: str,
    reference_value: float,
    goal: float,
    better: Literal["higher", "lower"],
) -> bool:
    """Print and append one result, and return whether it passed.

    `ratio` is value / reference_value; it passes at `goal` or better.
    """
    ratio = value / reference_value
    passed = ratio >= goal if better == "higher" else ratio <= goal
    line = {
        "name": name,
        "value": round(value, 3),
        "unit": unit,
        "reference": reference,
        "reference_value": round(reference_value, 3),
        "ratio": round(ratio, 4),
        "goal": goal,
        "pass": passed,
        "better": better,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    FILE.parent.mkdir(parents=True, exist_ok=True)
    with FILE.open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(
        f"{'pass' if passed else 'FAIL'}  {name}: {value:,.0f} {unit} beside {reference} {reference_value:,.0f}: "
        f"× {ratio:.2f} (goal {'≥' if better == 'higher' else '≤'} {goal})",
        flush=True,
    )
    return passed
