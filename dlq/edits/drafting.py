"""What an editor begins with, and what is wrong with what was typed."""

import json
import threading
from collections.abc import Sequence

import msgspec

from dlq.edits.identity import Headers, pretty, stamped_body, stamped_headers
from dlq.formats import without_death
from dlq.headers import ATTEMPT, RETRY_FOR, RETRY_OF
from dlq.models import DeadLetter
from dlq.reading import read_event
from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.models import Role
from eventhub.events.envelope import Event, Undecodable
from eventhub.schemas.validation import Validators

# A larger body is edited outside, and published where it belongs.
MAX_BYTES = 256 * 1024
_OF_EVENTHUB = ("eventhub-edit-of", "eventhub-caused-by", RETRY_OF, ATTEMPT, RETRY_FOR)
_thread = threading.local()


class Draft(msgspec.Struct, frozen=True):
    """A letter as it can be edited, or as somebody has edited it so far."""

    text: str
    headers: str
    key: str


class Problems(msgspec.Struct, frozen=True):
    """What speaks against sending this: `blocking` must be repaired first, `warnings` are for a person to weigh."""

    blocking: list[str] = []
    warnings: list[str] = []
    # What it was held against, for people; empty when there is no schema for it.
    checked_by: str = ""


class NotEditable(ValueError):
    """The letter cannot be edited here. The text says why, and what can be done."""


def begin(letter: DeadLetter) -> Draft:
    """What the editor shows first: the body indented when it is JSON. Raises NotEditable."""
    if letter.size_bytes > MAX_BYTES:
        raise NotEditable(
            f"Bodies of more than {MAX_BYTES // 1024} KB are not edited here. Download it, repair it, publish it where "
            "it belongs, and discard this one."
        )
    body = bytes(letter.body)
    text = pretty(body)
    if text is None:
        try:
            text = body.decode()
        except UnicodeDecodeError:
            raise NotEditable(
                "The body is binary and cannot be edited as text. Download it, repair it, publish it where it "
                "belongs, and discard this one."
            ) from None
        if "\x00" in text:
            raise NotEditable("The body holds NUL bytes, which no editor shows. Download it to repair it.")
    return Draft(text, _as_lines(headers_of(letter)), letter.key or "")


def headers_of(letter: DeadLetter) -> Headers:
    """The headers that a person edits: without those that tell of the failure, and without EventHub's own."""
    came = [(name, value) for name, value in letter.raw_headers or letter.headers.items()]
    return [(name, value) for name, value in without_death(came) if name.lower() not in _OF_EVENTHUB]


def body_of(letter: DeadLetter, text: str) -> bytes:
    """The typed text as the bytes that go out: JSON in one line when the letter was in one, else as it was typed."""
    typed = text.replace("\r\n", "\n").encode()
    original = bytes(letter.body)
    if pretty(original) is not None and b"\n" not in original.strip():
        try:
            return msgspec.json.format(typed, indent=-1)
        except (ValueError, RecursionError):
            return typed
    return typed


def read_headers(text: str) -> Headers:
    """Header lines as pairs: ``name: value`` in each. Raises NotEditable, which names the line."""
    found: Headers = []
    for n, line in enumerate(text.replace("\r\n", "\n").split("\n"), 1):
        if not line.strip():
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise NotEditable(f"Header line {n} is not “name: value”.")
        found.append((name.strip(), value.strip()))
    return found


def problems(letter: DeadLetter, draft: Draft) -> Problems:
    """What is wrong with a draft: whether it can be read as an event, and what its type's schema says."""
    try:
        headers = read_headers(draft.headers)
    except NotEditable as error:
        return Problems([str(error)])
    if "\x00" in draft.text:
        return Problems(["The text holds a NUL character."])
    if any(mark in draft.text[:1] for mark in "{[") or pretty(bytes(letter.body)) is not None:
        try:
            json.loads(draft.text)
        except json.JSONDecodeError as error:
            return Problems([f"Line {error.lineno}, column {error.colno}: {error.msg}."])
        except RecursionError:
            return Problems(["It is nested too deeply."])
    body = stamped_body(body_of(letter, draft.text), "edited", None)
    stamped = stamped_headers(headers, letter.pk, "edited", None)
    try:
        event = read_event(letter, body, {name.lower(): value for name, value in stamped}, draft.key or None)
    except Undecodable as error:
        said = f"EventHub cannot read it as an event: {error.reason}"
        # Another service's messages need not be events.
        return Problems(warnings=[said]) if letter.source.role == Role.DEAD_LETTERS else Problems([said])
    except BrokerError as error:
        return Problems(warnings=[str(error)])
    return against_schema(event)


def against_schema(event: Event) -> Problems:
    """What today's schema of its type says of an event."""
    validators = _validators()
    finding = validators.check(event)
    checked_by = (
        f"the schema of {event.event_type} {event.event_version or ''}".rstrip()
        if validators.has_schema(event)
        else ""
    )
    if finding is None:
        return Problems(checked_by=checked_by)
    lines = finding.message.split("\n")
    return (
        Problems(lines, checked_by=checked_by)
        if finding.is_enforced
        else Problems(warnings=lines, checked_by=checked_by)
    )


def _validators() -> Validators:
    if not hasattr(_thread, "validators"):
        _thread.validators = Validators()
    found: Validators = _thread.validators
    found.refresh()
    return found


def _as_lines(headers: Sequence[tuple[str, str]]) -> str:
    return "\n".join(f"{name}: {value}" for name, value in headers)
