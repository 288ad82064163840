"""What the form shows of real messages: a sample, how it would be read, what each expression gives for one of them."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from django.http import HttpRequest

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.failures import Failure, explain
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.trying import peek
from eventhub.events.mapping import Suggestion, suggest
from eventhub.events.mapping.expressions import METADATA
from eventhub.events.message import Message
from eventhub.schemas.personal.showing import is_hidden
from eventhub.sources import samples
from eventhub.sources.drafts import UNNAMED, errors_of_mapping
from eventhub.sources.form import Row, SourceForm
from eventhub.sources.preview import Reading, Value, opened, readings, shown, values

MAX_PASTED_CHARS = 256 * 1024
# What an event's field is, for whoever looks for it in a message of their own.
HINTS = {
    "event_type": "What happened, such as order.placed. Needed.",
    "event_id": "What is the same when it is sent again; left empty, its place at the broker.",
    "event_version": "The version of the type's data.",
    "timestamp": "When it happened; left empty, when the broker took it.",
    "source": "The service that published it.",
    "correlation_id": "What ties it to the other events of its story.",
    "causation_id": "The id of the event that caused it.",
    "stream": "The thing it is about, such as order-8412.",
    "stream_version": "Its number among that thing's events.",
    "data": "What it says; left empty, the whole body.",
    "metadata": "A whole object of what else is worth keeping.",
}


class Line(msgspec.Struct, frozen=True):
    """A field of the mapping as the form shows it."""

    row: Row
    # None without a message or an expression.
    value: Value | None
    # Why the expression was proposed.
    why: str
    hint: str


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """A sample of messages, seen through the form as it is filled in."""

    # By which the sample is found again; empty when there is none.
    sample: str = ""
    # How many messages the sample holds, and how many it had no room for.
    count: int = 0
    left_out: int = 0
    rows: list[Reading] = []
    # What each expression of the mapping gives for the chosen message, by field.
    values: dict[str, Value] = {}
    # The chosen message, counted from 1.
    chosen: int = 1
    suggestion: Suggestion | None = None
    # Why there is nothing to see.
    failure: Failure | None = None
    is_incomplete: bool = False
    # Whether messages were asked for.
    asked: bool = False

    @property
    def letters(self) -> int:
        """How many would be dead letters."""
        return sum(row.verdict == "letter" for row in self.rows)

    @property
    def numbers(self) -> range:
        """The messages, to choose from."""
        return range(1, self.count + 1)

    def lines(self, form: SourceForm) -> list[Line]:
        """The mapping's fields, each with what it gives for the chosen message."""
        why = {one.field: one.why for one in self.suggestion.proposals} if self.suggestion else {}
        return [
            Line(row, self.values.get(row.field), why.get(row.field, ""), HINTS[row.field])
            for row in form.mapping_rows
        ]

    @property
    def more(self) -> list[tuple[str, Value]]:
        """What else goes into the metadata, and what it is for the chosen message."""
        return [(name, value) for name, value in self.values.items() if name.startswith(METADATA)]


def look(request: HttpRequest, form: SourceForm, do: str) -> Look:
    """Take a sample (`do` is "peek" or "paste") or find the one there is, and read it as the form says.

    With "suggest" the form's mapping becomes the proposed one.
    """
    user_id = request.user.pk
    left_out = 0
    match do:
        case "peek":
            source = form.draft(to_try=True)
            if source is None:
                return Look(asked=True, is_incomplete=True)
            peeked = peek(source)
            if peeked.failure:
                return Look(asked=True, failure=peeked.failure)
            found, left_out = samples.fitting(peeked.messages)
            name = samples.keep(found, user_id) if found else ""
        case "paste":
            found = _pasted(request.POST.get("pasted", ""), form)
            name = samples.keep(found, user_id) if found else ""
        case _:
            name = request.POST.get("sample", "")
            found = samples.find(name, user_id) or []
    suggestion = None
    if do == "suggest":
        suggestion = suggest(_opened(form, found))
        if suggestion.proposals:
            form.set_mapping(suggestion.value)
    return _read(
        request,
        form,
        found,
        name=name if found else "",
        left_out=left_out,
        chosen=_chosen(request.POST.get("chosen", ""), found),
        suggestion=suggestion,
        asked=do in ("peek", "paste"),
    )


def _read(
    request: HttpRequest, form: SourceForm, messages: list[Message], *, name: str, chosen: int, **about: Any
) -> Look:
    mapping, unread = form.mapping_value()
    wrong = errors_of_mapping(mapping)
    form.errors |= wrong | unread
    # What is being typed is often wrong for a moment: the rest of the mapping is shown meanwhile.
    sound = {field: text for field, text in mapping.items() if f"mapping.{field}" not in wrong}
    failure, rows = None, []
    if messages:
        try:
            source = _source(form, sound if "event_type" in sound else {})
            rows = [
                shown(request, row) for row in readings(source, messages, is_answered=form.kind == Kind.HTTP)
            ]
        except BrokerError as error:
            failure = explain(error)
    hidden = any(
        row.number == chosen and row.event and is_hidden(request, row.event.event_type) for row in rows
    )
    # An expression may take any value out of the message, so it is shown none of one that is masked.
    given = values(sound, _opened(form, messages[chosen - 1 : chosen])[0]) if messages and not hidden else {}
    return Look(
        sample=name, count=len(messages), rows=rows, values=given, chosen=chosen, failure=failure, **about
    )


def _opened(form: SourceForm, messages: list[Message]) -> list[Message]:
    """What a mapping sees of `messages`; what cannot be opened now is told where they are read."""
    try:
        return opened(_source(form, {}), messages)
    except BrokerError:
        return messages


def _source(form: SourceForm, mapping: dict[str, str]) -> Source:
    """What the messages are read for: the source as the form has it; while its config is not complete, without it."""
    errors = form.errors
    source = form.draft(to_try=True) or Source(name=form.name or UNNAMED, kind=Kind.HTTP, role=form.role)
    form.errors = errors
    source.mapping = mapping
    return source


def _pasted(text: str, form: SourceForm) -> list[Message]:
    if not text.strip():
        return []
    body = text[:MAX_PASTED_CHARS].encode(errors="replace")
    return [Message(body, "pasted", "", f"{form.kind}:pasted", timestamp=datetime.now(UTC))]


def _chosen(text: str, messages: list[Message]) -> int:
    """The message that expressions are shown with, counted from 1; else the first that holds JSON."""
    if text.isascii() and text.isdigit() and len(text) < 4 and 0 < int(text) <= len(messages):
        return int(text)
    return next((n for n, message in enumerate(messages, 1) if _is_json(message)), 1)


def _is_json(message: Message) -> bool:
    try:
        msgspec.json.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
