"""What a form about a source asks, and when: questions in parts, for one kind of broker."""

from typing import Any, Literal

import msgspec

Widget = Literal["text", "lines", "choice", "number", "secret", "pem", "secret-pem", "pairs", "json"]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One question. Its words and its widget come from the config's own field where nothing is said here."""

    # The field of the config that it fills; empty for a question that only decides what else is asked.
    field: str = ""
    # Its name in the form, where that is another: two questions may fill the same field.
    key: str = ""
    label: str
    widget: Widget = "text"
    help: str = ""
    example: str = ""
    # Asked only while each of these questions has one of these answers.
    when: dict[str, tuple[str, ...]] = {}
    # Whether it must be answered, when it is asked.
    required: bool = False
    # The answers to choose from, with their words.
    options: dict[str, str] = {}
    # Answers to pick or to type another.
    proposals: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name in the form."""
        return self.key or self.field


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Questions that belong together."""

    title: str
    asks: tuple[Ask, ...]
    # What most never need is folded away.
    folded: bool = False
    # Asked only while each of these questions has one of these answers.
    when: dict[str, tuple[str, ...]] = {}


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The form for a kind of broker, and the card it is chosen by."""

    icon: str
    sentence: str
    parts: tuple[Part, ...] = ()

    def asks(self) -> list[Ask]:
        """All its questions."""
        return [ask for part in self.parts for ask in part.asks]

    def is_asked(self, ask: Ask, answers: dict[str, Any]) -> bool:
        """Whether `ask` comes up, given the other answers."""
        part = next(part for part in self.parts if ask in part.asks)
        return holds(part.when, answers) and holds(ask.when, answers)


def holds(when: dict[str, tuple[str, ...]], answers: dict[str, Any]) -> bool:
    """Whether each of the questions was answered so."""
    return all(str(answers.get(name) or "") in wanted for name, wanted in when.items())


def decided(ask: Ask, layout: Layout, config: dict[str, Any]) -> str:
    """What a question that fills no field was answered with, seen from a config.

    It is the first answer for which everything is there that must be answered then; else the first of all.
    """
    for option in ask.options:
        needed = [
            other
            for other in layout.asks()
            if other.required and other.field and option in other.when.get(ask.name, ())
        ]
        if needed and all(config.get(other.field) for other in needed):
            return option
    return next(iter(ask.options))
