"""Letters as CSV or JSON lines, a chunk at a time, so that a million of them need no memory."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import datetime
from urllib.parse import urlencode

import msgspec

from dlq import listing
from dlq.filter import Filter
from dlq.models import DeadLetter
from eventhub.pages.spreadsheet import harmless

CHUNK = 500
COLUMNS = (
    "id", "status", "reason", "group_id", "source", "topic", "read_from", "partition", "offset", "key", "event_id",
    "event_type", "event_version", "event_source", "correlation_id", "causation_id", "failed_in", "error_class",
    "error_message", "attempts", "returns", "size_bytes", "first_failed_at", "last_failed_at", "recorded_at",
    "closed_at", "closed_by", "closed_note",
)  # fmt: skip

# What a filter says of groups only.
OF_GROUPS = ("state", "assignee")


def query_of(wanted: Filter) -> str:
    """The query that asks the API for these letters, for a link to its exports."""
    named = msgspec.to_builtins(wanted)
    return urlencode({name: value for name, value in named.items() if name not in OF_GROUPS})


def csv_lines(wanted: Filter) -> Iterator[str]:
    """Each letter as a line, the newest first, after a line of names. Bodies are in the JSON export."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for letter in letters(wanted, with_bodies=False):
        writer.writerow([harmless(_value(letter, name)) for name in COLUMNS])
        if text.tell() > 32_000:
            yield _taken(text)
    yield _taken(text)


def json_lines(wanted: Filter, show: Callable[[DeadLetter], bytes]) -> Iterator[str]:
    """Each letter as a JSON object in a line of its own, with headers, stack and the body as `show` has it."""
    for letter in letters(wanted, with_bodies=True):
        row: dict[str, object] = {name: _value(letter, name) for name in COLUMNS}
        row |= {"headers": letter.headers, "stack": letter.stack}
        body = show(letter)
        try:
            row["body"] = body.decode()
        except UnicodeDecodeError:
            row["body_base64"] = body
        yield msgspec.json.encode(row).decode() + "\n"


def letters(wanted: Filter, *, with_bodies: bool) -> Iterator[DeadLetter]:
    """All letters that fit, the newest first, a chunk in memory."""
    before: int | None = None
    while chunk := listing.letters(wanted, CHUNK, before, with_bodies=with_bodies):
        yield from chunk
        before = chunk[-1].pk


def _value(letter: DeadLetter, name: str) -> object:
    value = letter.source.name if name == "source" else getattr(letter, name)
    return value.isoformat() if isinstance(value, datetime) else value


def _taken(text: io.StringIO) -> str:
    found = text.getvalue()
    text.seek(0)
    text.truncate()
    return found
