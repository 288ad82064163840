"""The figures side by side: ``docs/performance.md`` and the ratios that later runs are held against.

Machines differ and are noisy, so what is kept and compared is never a rate but its ratio to a reference of the same
run.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import msgspec

RATIOS = Path(__file__).with_name("ratios.json")
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"
# A ratio may be worse than the committed one by this share before it counts as a regression.
TOLERANCE = 0.15
HEAD = """# Performance

`make bench` runs every benchmark, prints this table and appends each figure to `var/bench.jsonl`;
`make bench ONLY=name` runs one. `make bench ARGS=--write` writes this page and `benchmarks/ratios.json`;
`make bench ARGS=--check` fails when a ratio is worse than the committed one by more than 15 %. A figure stands beside
a reference that was measured in the same run on the same machine: compare ratios, not rates.

| benchmark | figure | reference | ratio | goal | | measured |
|---|--:|---|--:|--:|---|---|
"""


class Result(msgspec.Struct, frozen=True):
    """One line of ``var/bench.jsonl``."""

    name: str
    value: float
    unit: str
    reference: str
    reference_value: float
    ratio: float
    goal: float
    passed: bool = msgspec.field(name="pass")
    better: Literal["higher", "lower"]
    at: str


def latest(lines: Iterable[str]) -> dict[str, Result]:
    """The newest result of each benchmark, by name; a line that was half written is passed over."""
    found: dict[str, Result] = {}
    for line in lines:
        try:
            result = msgspec.json.decode(line, type=Result)
        except msgspec.DecodeError:
            continue
        found[result.name] = result
    return dict(sorted(found.items()))


def page(results: Mapping[str, Result]) -> str:
    """The page, as Markdown."""
    return HEAD + "".join(_row(result) for result in results.values())


def regressions(results: Mapping[str, Result], committed: Mapping[str, float]) -> list[str]:
    """What is worse than the committed ratios by more than `TOLERANCE`, in words."""
    found = []
    for name, before in committed.items():
        if (now := results.get(name)) is None:
            continue
        loss = before / now.ratio - 1 if now.better == "higher" else now.ratio / before - 1
        if loss > TOLERANCE:
            found.append(f"{name}: × {now.ratio:.2f}, and × {before:.2f} is committed")
    return found


def read_ratios(path: Path = RATIOS) -> dict[str, float]:
    """The committed ratios; none where there is no file yet."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, float]) if path.exists() else {}


def write(results: Mapping[str, Result], path: Path = RATIOS, page_path: Path = PAGE) -> None:
    """Write the page and the ratios. What was not run keeps the ratio it had."""
    ratios = read_ratios(path) | {name: round(result.ratio, 3) for name, result in results.items()}
    path.write_text(json.dumps(dict(sorted(ratios.items())), indent=2) + "\n")
    page_path.write_text(page(results))


def _row(result: Result) -> str:
    cells = (
        f"`{result.name}`",
        f"{_figure(result.value)} {result.unit}",
        f"{result.reference}: {_figure(result.reference_value)}",
        f"{result.ratio:.2f}",
        f"{'≥' if result.better == 'higher' else '≤'} {result.goal:g}",
        "met" if result.passed else "missed",
        result.at[:10],
    )
    return f"| {' | '.join(cells)} |\n"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
