"""A JSON value as HTML that can be read: coloured, foldable, and still JSON when selected and copied."""

import json
from collections.abc import Iterator
from typing import Any

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

# A page stays quick whatever an event holds; the raw view has the rest.
MAX_NODES = 4_000
MAX_DEPTH = 60
# What lies deeper than this starts folded when the value is large.
OPEN_DEPTH = 3
LONG_TEXT = 2_000


def json_tree(value: Any) -> SafeString:
    """The value as a tree of `<details>`; its text content is the indented JSON itself."""
    drawing = _Drawing()
    body = "".join(drawing.draw(value, 0, "", ""))
    # Every piece of text in it went through `escape`.
    return mark_safe(f'<div class="json" data-json>{body}</div>')  # noqa: S308


class _Drawing:
    """Counts what it has drawn, to stop in time."""

    def __init__(self) -> None:
        self.nodes = 0

    def draw(self, value: Any, depth: int, key: str, comma: str) -> Iterator[str]:
        """The lines of one value: `key` is its label's HTML, `comma` what follows it."""
        self.nodes += 1
        indent = "  " * depth
        if isinstance(value, dict | list) and value:
            yield from self._branch(value, depth, f"{indent}{key}", comma)
        else:
            yield f'<div class="json-line">{indent}{key}{_leaf(value)}{comma}\n</div>'

    def _branch(self, value: dict[str, Any] | list[Any], depth: int, start: str, comma: str) -> Iterator[str]:
        opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
        noun = "key" if isinstance(value, dict) else "item"
        count = f"{len(value):,} {noun}{'' if len(value) == 1 else 's'}"
        opened = " open" if depth < OPEN_DEPTH or self.nodes < 60 else ""
        yield f'<details{opened}><summary class="json-line" data-count="{count}">{start}{opening}\n</summary>'
        items = list(value.items()) if isinstance(value, dict) else [(None, item) for item in value]
        for index, (name, item) in enumerate(items):
            if self.nodes >= MAX_NODES or depth >= MAX_DEPTH:
                left = f"… {len(items) - index:,} more here: see Raw"
                yield f'<div class="json-line json-cut">{"  " * (depth + 1)}{left}\n</div>'
                break
            label = (
                ""
                if name is None
                else f'<span class="json-key">{escape(json.dumps(str(name), ensure_ascii=False))}</span>: '
            )
            yield from self.draw(item, depth + 1, label, "," if index < len(items) - 1 else "")
        yield f'<div class="json-line">{"  " * depth}{closing}{comma}\n</div></details>'


def _leaf(value: Any) -> str:
    if isinstance(value, str):
        text = json.dumps(value, ensure_ascii=False)
        if len(text) > LONG_TEXT:
            head, rest = escape(text[:LONG_TEXT]), f"{len(text) - LONG_TEXT:,}"
            return f'<span class="json-string">{head}</span><span class="json-cut">… {rest} more characters</span>'
        return f'<span class="json-string">{escape(text)}</span>'
    if value is None or isinstance(value, bool):
        return f'<span class="json-word">{json.dumps(value)}</span>'
    if isinstance(value, int | float):
        return f'<span class="json-number">{json.dumps(value)}</span>'
    if isinstance(value, dict | list):
        return "{}" if isinstance(value, dict) else "[]"
    return f'<span class="json-string">{escape(json.dumps(str(value), ensure_ascii=False))}</span>'
