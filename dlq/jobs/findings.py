"""What speaks for and against a retry, in words: decided from facts, before the button."""

from typing import Literal

import msgspec

from eventhub.brokers.adapter import Place

Level = Literal["warn", "note"]


class Finding(msgspec.Struct, frozen=True):
    """One thing to know beforehand; a `warn` stands above the button."""

    level: Level
    text: str


class Destination(msgspec.Struct, frozen=True):
    """Where letters go: how many of those looked at, and what the broker says of the place (None: it was not asked)."""

    words: str
    letters: int
    place: Place | None = None
    # Why the broker could not be asked.
    trouble: str = ""
    redirected: str = ""


class Facts(msgspec.Struct, frozen=True):
    """What was found out about the letters of a selection, or about the oldest of them (`looked_at`)."""

    looked_at: int
    destinations: list[Destination] = []
    # Of those looked at:
    returned: int = 0
    most_returns: int = 0
    uncertain: int = 0
    # Events that the service which gave up on them has reported as processed since.
    processed: int = 0
    # Bodies that were held against today's schemas, those that do not fit, and the first finding.
    checked: int = 0
    unfit: int = 0
    first_unfit: str = ""
    is_ordered: bool = False


def judge(facts: Facts) -> list[Finding]:
    """What a person should know, the gravest first."""
    return [*_places(facts), *_letters(facts), *_notes(facts)]


def _places(facts: Facts) -> list[Finding]:
    found = []
    for destination in facts.destinations:
        where, place = _first_upper(destination.words), destination.place
        if destination.trouble:
            found.append(Finding("warn", f"{where} could not be looked at: {_stopped(destination.trouble)}"))
        elif place and place.exists is False:
            found.append(Finding("warn", f"{where} is not there. {place.note}".rstrip()))
        elif place and place.readers == 0:
            found.append(
                Finding(
                    "warn",
                    f"Nobody reads {destination.words} now: what is sent there waits. {place.note}".rstrip(),
                )
            )
        elif place and place.note:
            found.append(Finding("note", f"{where}: {place.note}"))
    return found


def _letters(facts: Facts) -> list[Finding]:
    one = facts.looked_at == 1
    found = []
    if facts.unfit:
        found.append(Finding("warn", f"{_unfit(facts)} today's schema: {_stopped(facts.first_unfit)}"))
    if facts.processed:
        found.append(
            Finding(
                "warn",
                "The service that gave up on it has processed this event since. Only a service that keeps the event "
                "ids it has handled will skip it."
                if one
                else f"{facts.processed:,} of these events were processed since by the service that gave up on them.",
            )
        )
    if facts.uncertain:
        found.append(
            Finding(
                "warn",
                "An earlier retry was interrupted and may have been published. Look at the trace first."
                if one
                else f"{facts.uncertain:,} had a retry that was interrupted and may have been published.",
            )
        )
    if facts.returned:
        found.append(
            Finding(
                "warn",
                f"It was retried before and came back {_times(facts.most_returns)}. Has the cause been repaired?"
                if one
                else f"{facts.returned:,} were retried before and came back, up to {_times(facts.most_returns)}. "
                "Has the cause been repaired?",
            )
        )
    return found


def _unfit(facts: Facts) -> str:
    if facts.looked_at == 1:
        return "It does not fit"
    if facts.unfit == facts.checked:
        return f"None of the {facts.checked:,} looked into fits"
    return f"{facts.unfit:,} of the {facts.checked:,} looked into do not fit"


def _notes(facts: Facts) -> list[Finding]:
    found = [
        Finding(
            "note",
            f"{_first_upper(destination.words)} is where it is redirected to, {_stopped(destination.redirected)}",
        )
        for destination in facts.destinations
        if destination.redirected
    ]
    if facts.looked_at > 1 and not facts.is_ordered:
        found.append(
            Finding(
                "note",
                "They go in the order in which they arrived here. Other messages flow in between, so the original "
                "order is not restored.",
            )
        )
    return found


def _times(count: int) -> str:
    return "once" if count == 1 else "twice" if count == 2 else f"{count:,} times"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _stopped(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
