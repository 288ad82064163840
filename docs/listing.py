"""What the reference pages list, taken from the code when the site is built, so that it is never old.

A page says where by a comment of its own line: ``<!-- list: commands -->``, ``api``, ``settings`` or ``decisions``.
"""

import argparse
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PLACE = re.compile(r"^<!-- list: (\w+) -->$", re.M)


def fill(text: str) -> str:
    """The page's text with its lists in their places."""
    return PLACE.sub(lambda found: LISTS[found[1]](), text)


def settings() -> str:
    """The table of docs/operations.md."""
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| .*\|$", text.partition("## Environment variables")[2].partition("\n## ")[0], re.M)
    return (
        "\n".join(["| variable | default | meaning |", "|---|---|---|", *rows[1:]])
        .replace("](#", "](operations.md#")
        .replace("](", "](../")
    )


def commands() -> str:
    """Every command of EventHub's own, with what `--help` says."""
    _set_up()
    from django.core.management import get_commands, load_command_class

    parts = []
    for name, app in sorted(get_commands().items()):
        if not app.startswith(("eventhub", "monitoring", "dlq")):
            continue
        parser = load_command_class(app, name).create_parser("manage.py", name)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parts.append(f"## {name}\n\n```text\n{_own_options(parser)}\n```\n")
    return "\n".join(parts)


def api() -> str:
    """Every operation, by path."""
    _set_up()
    from eventhub.api import api as described

    rows = ["| | operation | |", "|---|---|---|"]
    schema: dict[str, Any] = described.get_openapi_schema(path_prefix="/api/")
    for path, methods in sorted(schema["paths"].items()):
        for method, operation in methods.items():
            words = (operation.get("description") or operation.get("summary") or "").split("\n\n")[0]
            cell = " ".join(words.split()).replace("|", "\\|")
            rows.append(f"| {method.upper()} | `{path}` | {cell} |")
    return "\n".join(rows)


def decisions() -> str:
    """Each decision by its title."""
    pages = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    titles = {page.name: page.read_text().partition("\n")[0].lstrip("# ") for page in pages}
    return "\n".join(f"- [{title}]({name})" for name, title in titles.items())


LISTS: dict[str, Callable[[], str]] = {
    "settings": settings,
    "commands": commands,
    "api": api,
    "decisions": decisions,
}


def _own_options(parser: argparse.ArgumentParser) -> str:
    """The help without what every command of Django has."""
    common = {
        "version",
        "verbosity",
        "settings",
        "pythonpath",
        "traceback",
        "no_color",
        "force_color",
        "skip_checks",
    }
    for action in parser._actions:
        if action.dest in common:
            action.help = argparse.SUPPRESS
    os.environ["COLUMNS"] = "100"
    return parser.format_help().strip()


def _set_up() -> None:
    """Django with settings that connect to nothing."""
    sys.path.insert(0, str(ROOT))
    for name, value in {
        "DJANGO_SETTINGS_MODULE": "eventhub.settings",
        "SECRET_KEY": "for the site of the documentation, which signs nothing",
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "REDIS_URL": "redis://127.0.0.1:1/0",
    }.items():
        os.environ.setdefault(name, value)
    import django

    django.setup()
