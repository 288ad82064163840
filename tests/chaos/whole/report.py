"""The table of docs/reliability.md, written by the suite."""

from collections.abc import Sequence
from pathlib import Path

from tests.chaos.whole.playing import Outcome

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reliability.md"


def write(mark: str, lines: Sequence[str], page: Path = PAGE) -> None:
    """Put `lines` between the page's marks of that name. Raises ValueError where it has none."""
    text = page.read_text()
    begin, end = f"<!-- {mark}: written by the suite -->\n", f"<!-- {mark}: end -->\n"
    before, found, rest = text.partition(begin)
    _, also_found, after = rest.partition(end)
    if not (found and also_found):
        raise ValueError(f"{page} has no place for {mark!r}")
    page.write_text(before + begin + "\n" + "\n".join(lines) + "\n\n" + end + after)


def table(outcomes: Sequence[Outcome], caption: str) -> list[str]:
    """A row for each fault."""
    rows = [
        caption,
        "",
        "| fault | duration, s | events | lost | doubled | recovery, s | others' p95 | slowest page |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for one in outcomes:
        spared = f"{max(one.spared.values()):.1f} s" if one.spared else "–"
        pages = f"{one.slowest_page_s:.1f} s" if one.fault.pages else "–"
        lasted = "at once" if one.seconds < 1 else f"{one.seconds:.0f}"
        rows.append(
            f"| {one.fault.name} | {lasted} | {one.events:,} | {len(one.lost)} | {len(one.doubled)} "
            f"| {one.recovery_s:.0f} | {spared} | {pages} |"
        )
    return rows
