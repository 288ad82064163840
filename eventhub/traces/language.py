"""The search language: words people have, and a few terms, in one line that stands in the address.

    8412                                    any word: an id, an order number, a value
    "no answer"                             words together
    order_id:8412                           a searchable attribute
    type:order.placed  service:payment      what a trace holds
    -type:payment.captured                  what it does not hold
    order.placed but not payment.authorized within 30s
    error  slow  state:dead                 how it went
    duration>2s  duration<1m                how long it took
    since:24h  from:2026-03-01  to:2026-03-02T12:00

Reading never fails: what cannot be understood is looked for as a word, and `problems` says why.
"""

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import get_args

import msgspec

from eventhub.traces.query import Absence, StateFilter

MOST_TERMS = 40
LONGEST = 2_000
_TOKEN = re.compile(r'-?[A-Za-z_][A-Za-z0-9_.]*[:=]"[^"]*"|"[^"]*"|\S+')
_TERM = re.compile(r"(?P<no>-?)(?P<name>[A-Za-z_][A-Za-z0-9_.]*)(?P<sign>[:=])(?P<value>.+)", re.DOTALL)
_DURATION_TERM = re.compile(r"duration(?P<sign>[<>])=?(?P<value>.*)", re.IGNORECASE | re.DOTALL)
_LENGTH = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)(ms|s|sec|m|min|h|d)?", re.IGNORECASE)
# Ten years: what is longer is no length of a trace, and beyond what dates can be reckoned with.
LONGEST_S = 10 * 366 * 86400.0
_UNITS = {"ms": 0.001, "s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_STATES = frozenset(get_args(StateFilter)) - {""}
# Without a "within": long enough for anything that is not stuck.
ABSENT_FOR_S = 3600.0
# Terms that mean something by themselves; a searchable attribute of that name would not be reached.
KEYWORDS = ("type", "service", "state", "duration", "since", "from", "to", "text", "within")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a line asks for. What is empty or None was not asked."""

    words: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    without_types: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()
    absence: Absence | None = None
    state: StateFilter = ""
    slow: bool = False
    min_s: float | None = None
    max_s: float | None = None
    since_s: float | None = None
    start: datetime | None = None
    end: datetime | None = None
    # Words that are looked for in every payload, although they are also a searchable value.
    texts: tuple[str, ...] = ()
    # For the person who typed it.
    problems: tuple[str, ...] = ()


def read(line: str, attributes: Collection[str] = ()) -> Asked:
    """What `line` asks for; `attributes` are the names of searchable attributes. Never raises."""
    reader = _Reader(frozenset(attributes))
    tokens = _TOKEN.findall(line.replace("\x00", "")[:LONGEST])[:MOST_TERMS]
    position = 0
    while position < len(tokens):
        position += reader.take(tokens[position:])
    return reader.asked()


def write(asked: Asked) -> str:
    """The line that asks for this: `read` understands it as the same."""
    parts = [*map(_quoted, asked.words)]
    parts += [f"text:{_quoted(text)}" for text in asked.texts]
    parts += [f"type:{_quoted(name)}" for name in asked.types]
    parts += [f"-type:{_quoted(name)}" for name in asked.without_types]
    parts += [f"service:{_quoted(name)}" for name in asked.services]
    parts += [f"{name}:{_quoted(value)}" for name, value in asked.attributes]
    if asked.absence:
        gone = asked.absence
        parts.append(
            f"{_quoted(gone.present)} but not {_quoted(gone.absent)} within {_length(gone.within_s)}"
        )
    parts += [f"state:{asked.state}"] if asked.state else []
    parts += ["slow"] if asked.slow else []
    parts += [f"duration>{_length(asked.min_s)}"] if asked.min_s is not None else []
    parts += [f"duration<{_length(asked.max_s)}"] if asked.max_s is not None else []
    parts += [f"since:{_length(asked.since_s)}"] if asked.since_s is not None else []
    parts += [f"from:{asked.start.isoformat()}"] if asked.start else []
    parts += [f"to:{asked.end.isoformat()}"] if asked.end else []
    return " ".join(parts)


def seconds_of(text: str) -> float | None:
    """A length of time as people type it: 150ms, 2s, 5m, 1h, 1d; a bare number is seconds. None: it is none."""
    match = _LENGTH.fullmatch(text.strip())
    return min(float(match[1]) * _UNITS[(match[2] or "s").lower()], LONGEST_S) if match else None


class _Reader:
    def __init__(self, attributes: frozenset[str]) -> None:
        self.attributes = attributes
        self.lists: dict[str, list[str]] = {
            name: [] for name in ("words", "types", "without_types", "services", "texts", "problems")
        }
        self.pairs: list[tuple[str, str]] = []
        self.one: dict[str, object] = {}

    def asked(self) -> Asked:
        lists = {name: tuple(dict.fromkeys(values)) for name, values in self.lists.items()}
        return Asked(**lists, attributes=tuple(dict.fromkeys(self.pairs)), **self.one)  # type: ignore[arg-type]

    def take(self, tokens: list[str]) -> int:
        """Understand what stands first; how many tokens that were."""
        if taken := self._absence(tokens):
            return taken
        token = tokens[0]
        if match := _DURATION_TERM.fullmatch(token):
            self._bound("min_s" if match["sign"] == ">" else "max_s", token, match["value"])
        elif token.lower() in ("error", "errors"):
            self.one["state"] = "trouble"
        elif token.lower() == "slow":
            self.one["slow"] = True
        elif not (match := _TERM.fullmatch(token)) or not self._term(match):
            self._word(token)
        return 1

    def _absence(self, tokens: list[str]) -> int:
        """``X but not Y within 30s``: six tokens, or four without the time."""
        words = [token.lower() for token in tokens]
        if len(tokens) < 4 or words[1:3] != ["but", "not"]:
            return 0
        within_s, taken = ABSENT_FOR_S, 4
        if len(tokens) >= 6 and words[4] == "within" and (given := seconds_of(tokens[5])) is not None:
            within_s, taken = given, 6
        elif len(tokens) >= 5 and words[4].startswith("within:"):
            given = seconds_of(words[4].removeprefix("within:"))
            if given is not None:
                within_s, taken = given, 5
        present, absent = (_bare(token.removeprefix("type:")) for token in (tokens[0], tokens[3]))
        if not present or not absent:
            return 0
        self.one["absence"] = Absence(present, absent, within_s)
        return taken

    def _term(self, match: re.Match[str]) -> bool:
        name, value, no = match["name"].lower(), _bare(match["value"]), bool(match["no"])
        if not value:
            return False
        if name == "type":
            self.lists["without_types" if no else "types"].append(value)
        elif no:
            return False
        elif name == "service":
            self.lists["services"].append(value)
        elif name == "text":
            self.lists["texts"].append(value.lower())
        elif name == "state":
            if value.lower() not in _STATES:
                self._problem(f"There is no state {value!r}: {', '.join(sorted(_STATES))}.")
                return False
            self.one["state"] = value.lower()
        elif name == "since":
            return self._bound("since_s", match[0], value)
        elif name in ("from", "to"):
            return self._moment("start" if name == "from" else "end", value)
        elif match["name"] in self.attributes and name not in KEYWORDS:
            self.pairs.append((match["name"], value.lower()))
        else:
            return False
        return True

    def _bound(self, name: str, token: str, text: str) -> bool:
        seconds = seconds_of(_bare(text))
        if seconds is None:
            self._problem(f"{token!r}: a length of time is written like 150ms, 2s, 5m or 1h.")
            return False
        self.one[name] = seconds
        return True

    def _moment(self, name: str, text: str) -> bool:
        try:
            at = datetime.fromisoformat(text)
            at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        except (ValueError, OverflowError):
            self._problem(f"{text!r}: a moment is written like 2026-03-01 or 2026-03-01T12:00, in UTC.")
            return False
        self.one[name] = at
        return True

    def _word(self, token: str) -> None:
        if word := _bare(token).lower().strip():
            self.lists["words"].append(word)

    def _problem(self, text: str) -> None:
        self.lists["problems"].append(text)


def _bare(text: str) -> str:
    return text.replace('"', "")


def _quoted(text: str) -> str:
    return f'"{text}"'


def _length(seconds: float) -> str:
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"
