"""Schemas as text that people read."""

import json
from difflib import unified_diff
from typing import Any


def text_of(schema: Any) -> str:
    """A schema, indented."""
    return json.dumps(schema, indent=2, ensure_ascii=False)


def changes(left: Any, right: Any, old_name: str, new_name: str) -> list[str]:
    """A unified diff, for terminals."""
    old, new = text_of(left).splitlines(), text_of(right).splitlines()
    return list(unified_diff(old, new, old_name, new_name, lineterm="", n=2))
