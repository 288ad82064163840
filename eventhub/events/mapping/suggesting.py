"""A mapping proposed from sample messages: by what their fields are called and what they hold."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from eventhub.events import aws_envelopes, decoding
from eventhub.events.envelope import Undecodable
from eventhub.events.mapping import debezium
from eventhub.events.mapping.expressions import Mapping, Proposal, parse
from eventhub.events.mapping.names import ENVELOPE_PARENTS, KNOWN, Known, plain
from eventhub.events.message import Message

MAX_DEPTH = 4
MAX_PATHS = 500
# Below this a proposal is a guess that costs more than it helps.
LEAST = 0.4
# Of the samples, how many must have the value.
LEAST_PRESENT = 0.5
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# "orderId": the id of a thing, so a name for its stream and, for want of better, for its story.
_THING_ID = re.compile(
    r"(?!event|message|msg|correlation|trace|span|request|session|parent|causation|schema|tenant|user|conversation|"
    r"process|transaction|uuid|guid)(?P<thing>[a-z]{3,30}?)(id|number|no|key)"
)


class Suggestion(msgspec.Struct, frozen=True):
    """A mapping for messages like the samples; without proposals, `note` says why there are none."""

    proposals: tuple[Proposal, ...] = ()
    note: str = ""

    @property
    def value(self) -> dict[str, str]:
        """What goes into a source's `mapping`."""
        return {proposal.field: proposal.expression for proposal in self.proposals}

    @property
    def mapping(self) -> Mapping:
        """The same, ready to be applied."""
        return parse(self.value)


class _Candidate(msgspec.Struct):
    """A place that some of the samples have, and what they hold there."""

    expression: str
    names: tuple[str, ...]
    values: list[Any]
    is_header: bool = False


def suggest(samples: Sequence[Message]) -> Suggestion:
    """Propose a mapping for messages like `samples`, whose bodies are JSON. Never raises."""
    if not samples:
        return Suggestion(note="There is no message to learn from yet.")
    foreign = [_published(message) for message in samples if not _is_event(message)]
    if not foreign:
        return Suggestion(
            note="These messages are events already, native or CloudEvents: they need no mapping."
        )
    bodies = [body for message in foreign if isinstance(body := _body(message), dict)]
    if not bodies:
        return Suggestion(
            note="None of these messages is a JSON object, so there are no fields to choose from."
        )
    if known := debezium.propose(bodies):
        return Suggestion(known)
    candidates = [*_in_bodies(bodies), *_in_headers(foreign)]
    return Suggestion(tuple(_proposals(candidates, len(bodies))))


def _proposals(candidates: list[_Candidate], total: int) -> Iterator[Proposal]:
    taken: set[str] = set()
    for field, known in KNOWN.items():
        best = max(
            (
                _judge(field, known, candidate, total)
                for candidate in candidates
                if candidate.expression not in taken
            ),
            key=lambda proposal: proposal.confidence,
            default=None,
        )
        if best is None or best.confidence < LEAST:
            best = _for_want_of_better(field, candidates, total)
        if best is not None:
            taken.add(best.expression)
            yield best


def _judge(field: str, known: Known, candidate: _Candidate, total: int) -> Proposal:
    """How well `candidate` suits `field`."""
    nothing = Proposal(field, candidate.expression, 0.0, "")
    if candidate.is_header and not known.in_headers:
        return nothing
    *parents, name = map(plain, candidate.names)
    certainty = known.names.get(name, 0.0)
    if parents:  # {"event": {"id": …}} says the same as {"eventId": …}
        certainty = max(certainty, known.names.get(parents[-1] + name, 0.0) - 0.05)
    certainty -= _depth_penalty(known, parents) + (0.05 if candidate.is_header else 0.0)
    fitting = [value for value in candidate.values if known.holds(value)]
    present = min(1.0, len(fitting) / total)
    if certainty <= 0 or present < LEAST_PRESENT:
        return nothing
    distinct = len({repr(value) for value in fitting})
    if known.is_unique and distinct < len(fitting):
        return nothing
    if field == "event_type" and len(fitting) >= 5 and distinct > len(fitting) / 2:
        certainty -= 0.3  # a type comes again; what differs in each message is something else
    return Proposal(
        field, candidate.expression, round(certainty * present, 2), _why(candidate, fitting, distinct, total)
    )


def _depth_penalty(known: Known, parents: list[str]) -> float:
    """An id inside of "customer" is the customer's, not the event's."""
    strange = sum(parent not in ENVELOPE_PARENTS for parent in parents)
    return 0.02 * len(parents) + (0.1 if known.is_matter else 0.3) * strange


def _for_want_of_better(field: str, candidates: list[_Candidate], total: int) -> Proposal | None:
    if field == "event_type":
        return Proposal(
            field,
            "topic",
            LEAST,
            "Nothing in the messages names their type, so it is the topic's or queue's name.",
        )
    if field not in {"stream", "correlation_id"}:
        return None
    for candidate in candidates:
        name = plain(candidate.names[-1])
        thing = _THING_ID.fullmatch(name)
        values = [value for value in candidate.values if KNOWN["stream"].holds(value)]
        if not thing or candidate.is_header or len(values) < total * LEAST_PRESENT:
            continue
        words = f"{candidate.expression} is the id of what the messages are about ({thing['thing']})"
        if field == "stream":
            return Proposal(
                field, f"join('-', ['{thing['thing']}', to_string({candidate.expression})])", 0.6, f"{words}."
            )
        return Proposal(
            field,
            candidate.expression,
            LEAST,
            f"{words}: for want of a correlation id, it ties them together.",
        )
    return None


def _why(candidate: _Candidate, fitting: list[Any], distinct: int, total: int) -> str:
    examples = list(dict.fromkeys(_short(value) for value in fitting if not isinstance(value, dict | list)))[
        :3
    ]
    held = f"{len(fitting)} of {total} messages have it" if total > 1 else "the message has it"
    named = f'It is called "{candidate.names[-1]}"'
    if not examples:
        return f"{named}; {held}."
    several = (
        "all different"
        if distinct == len(fitting) and distinct > 1
        else f"{distinct} different"
        if distinct > 1
        else ""
    )
    return f"{named}; {held}{f', {several}' if several else ''}, e.g. {', '.join(examples)}."


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _is_event(message: Message) -> bool:
    try:
        decoding.decode(message)
    except Undecodable:
        return False
    return True


def _published(message: Message) -> Message:
    """What the mapping will be given: not the notification of SNS, but the message in it."""
    try:
        return aws_envelopes.unwrap(message)
    except (Undecodable, msgspec.ValidationError):
        return message


def _body(message: Message) -> Any:
    try:
        return msgspec.json.decode(message.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _in_bodies(bodies: list[dict[str, Any]]) -> list[_Candidate]:
    found: dict[tuple[str, ...], _Candidate] = {}

    def walk(value: dict[str, Any], names: tuple[str, ...]) -> None:
        for name, inner in value.items():
            path = (*names, name)
            if inner is None or (path not in found and len(found) >= MAX_PATHS):
                continue
            candidate = found.setdefault(path, _Candidate(".".join(["body", *map(_quoted, path)]), path, []))
            candidate.values.append(inner)
            if isinstance(inner, dict) and len(path) < MAX_DEPTH:
                walk(inner, path)

    for body in bodies:
        walk(body, ())
    return list(found.values())


def _in_headers(messages: Sequence[Message]) -> list[_Candidate]:
    found: dict[str, _Candidate] = {}
    for message in messages:
        for name, value in message.headers.items():
            bare = name.removeprefix("x-")
            found.setdefault(name, _Candidate(f"headers.{_quoted(name)}", (bare,), [], True)).values.append(
                value
            )
    return list(found.values())


def _quoted(name: str) -> str:
    """`name` as JMESPath writes it."""
    return name if _PLAIN_NAME.fullmatch(name) else json.dumps(name)
