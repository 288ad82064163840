"""Two texts side by side, line by line."""

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Literal

import msgspec

# Longer texts are compared in their beginnings: the comparison's work grows with the square.
MOST_LINES = 1_500
# So many equal lines stay around a change.
AROUND = 3

Kind = Literal["same", "changed", "added", "removed", "gap"]


class Row(msgspec.Struct, frozen=True):
    """A line of the original beside a line of the edit; None where one has no line there."""

    kind: Kind
    left: str | None = None
    right: str | None = None
    left_number: int | None = None
    right_number: int | None = None


def compare(original: str, edited: str) -> list[Row]:
    """The lines that differ, with a few around them; empty when nothing does."""
    left, right = original.split("\n")[:MOST_LINES], edited.split("\n")[:MOST_LINES]
    if left == right:
        return []
    matcher = SequenceMatcher(None, left, right, autojunk=False)
    rows: list[Row] = []
    for n, group in enumerate(matcher.get_grouped_opcodes(AROUND)):
        if n:
            rows.append(Row("gap"))
        for tag, i1, i2, j1, j2 in group:
            rows += _rows(tag, left, right, (i1, i2), (j1, j2))
    return rows


def _rows(
    tag: str, left: list[str], right: list[str], of_left: tuple[int, int], of_right: tuple[int, int]
) -> Iterator[Row]:
    for n in range(max(of_left[1] - of_left[0], of_right[1] - of_right[0])):
        i, j = of_left[0] + n, of_right[0] + n
        one = left[i] if i < of_left[1] else None
        other = right[j] if j < of_right[1] else None
        kind: Kind = (
            "same"
            if tag == "equal"
            else "added"
            if one is None
            else "removed"
            if other is None
            else "changed"
        )
        yield Row(kind, one, other, i + 1 if one is not None else None, j + 1 if other is not None else None)
