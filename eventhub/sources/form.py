"""The form about one source: what it asks, what was answered, what is wrong beside it."""

from collections.abc import Mapping
from typing import Any

import msgspec

from eventhub.brokers.configs import CONFIGS
from eventhub.brokers.models import Kind, Role, Source
from eventhub.brokers.secrets import keeping, keys, parts
from eventhub.events.mapping.expressions import FIELDS, METADATA
from eventhub.sources import texts
from eventhub.sources.drafts import UNNAMED, Given, Wrong, draft
from eventhub.sources.layout import Ask, Part, decided, holds
from eventhub.sources.layouts import LAYOUTS

CONFIG = "config-"
MAPPING = "mapping-"
REMOVE = "-remove"
MORE = "more"


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A question with its answer, as the page shows it."""

    ask: Ask
    name: str
    text: str = ""
    error: str = ""
    is_asked: bool = True
    # Whether it is a secret that is there already.
    is_set: bool = False
    # Whether it says something else than what holds when nothing is said.
    is_filled: bool = False

    @property
    def options(self) -> list[tuple[str, str, bool]]:
        """The answers: value, words, whether it is the chosen one."""
        return [(value, words, value == self.text) for value, words in self.ask.options.items()]

    @property
    def rows(self) -> int:
        """How many lines a field of several has room for."""
        least = {"pem": 3, "secret-pem": 3}.get(self.ask.widget, 2)
        return min(12, max(least, self.text.count("\n") + 1))

    @property
    def when(self) -> str:
        """When it is asked, for the page's script."""
        return _when(self.ask.when)

    @property
    def is_wide(self) -> bool:
        """Whether it takes a line of its own."""
        return self.ask.widget in ("lines", "pairs", "json", "pem", "secret-pem", "choice")


class Section(msgspec.Struct, frozen=True):
    """A part with its fields."""

    part: Part
    fields: list[Field]
    is_asked: bool

    @property
    def when(self) -> str:
        """When it is asked, for the page's script."""
        return _when(self.part.when)

    @property
    def is_open(self) -> bool:
        """Whether it is shown unfolded."""
        return not self.part.folded or any(
            field.error or field.is_filled or field.is_set for field in self.fields
        )


class Row(msgspec.Struct, frozen=True):
    """One field of the mapping."""

    field: str
    name: str
    text: str
    error: str = ""


class SourceForm:
    """Asks about a source of `kind`: a new one, or `original`; `data` is what was sent (QueryDict, or any mapping)."""

    def __init__(
        self, kind: str, original: Source | None = None, data: Mapping[str, str] | None = None
    ) -> None:
        self.kind = kind
        self.original = original
        self.layout = LAYOUTS[kind]
        self.errors: dict[str, str] = {}
        self.are_secrets_lost = False
        self._set = self._names_of_secrets()
        self._data = data
        shown = parts.with_dots(kind, original.config, self._set) if original else {}
        self._shown: dict[str, Any] = shown if isinstance(shown, dict) else {}
        self.answers = {ask.name: self._answer(ask) for ask in self.layout.asks()}
        mapping = original.mapping if original else {}
        self.mapping_texts = self._mapping_texts(mapping if isinstance(mapping, dict) else {})

    # -- What it shows ---------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """The source's name."""
        return self._text("name", self.original.name if self.original else "")

    @property
    def role(self) -> str:
        """What its messages are."""
        return self._text("role", self.original.role if self.original else Role.EVENTS)

    @property
    def enabled(self) -> bool:
        """Whether workers run it."""
        if self._data is not None:
            return "enabled" in self._data
        return self.original.enabled if self.original else True

    @property
    def label(self) -> str:
        """The kind's name."""
        return Kind(self.kind).label

    @property
    def sections(self) -> list[Section]:
        """The questions of this kind of broker."""
        return [
            Section(part, [self._field(ask) for ask in part.asks], holds(part.when, self.answers))
            for part in self.layout.parts
        ]

    @property
    def mapping_rows(self) -> list[Row]:
        """The mapping, a row for each field of the envelope."""
        return [
            Row(field, MAPPING + field, self.mapping_texts[field], self.errors.get(f"mapping.{field}", ""))
            for field in FIELDS
        ]

    @property
    def mapping_more(self) -> Row:
        """What else of a message goes into the metadata, one a line."""
        wrong = [text for name, text in self.errors.items() if name.startswith(f"mapping.{METADATA}")]
        error = self.errors.get(f"mapping.{MORE}", "") or " ".join(wrong)
        return Row(MORE, MAPPING + MORE, self.mapping_texts[MORE], error)

    @property
    def has_mapping(self) -> bool:
        """Whether any expression is there."""
        return any(self.mapping_texts.values())

    @property
    def problems(self) -> list[tuple[str, str]]:
        """What is wrong with the answers about the broker: the question's words, and what is wrong."""
        found = [
            (field.ask.label, field.error)
            for section in self.sections
            for field in section.fields
            if field.error
        ]
        return found + [("", text) for text in self.other_errors]

    @property
    def other_errors(self) -> list[str]:
        """What is wrong and belongs to no field that is shown."""
        shown = {"name", "role", *(f"mapping.{field}" for field in FIELDS)}
        for ask in self.layout.asks():
            shown |= {f"config.{ask.field}", f"secrets.{ask.field}"}
        return [
            text
            for name, text in self.errors.items()
            if name not in shown and not name.startswith(("mapping.", "secrets.settings."))
        ]

    # -- What was answered -----------------------------------------------------------------------

    def draft(self, *, to_try: bool = False) -> Source | None:
        """The source as answered, or None with `errors` set. To be tried it needs no name and no mapping."""
        self.errors = {}
        mapping, unread_mapping = ({}, {}) if to_try else self.mapping_value()
        given = self._given(UNNAMED if to_try else self.name, mapping)
        unread = self.errors | unread_mapping
        try:
            # A name that is taken keeps nobody from trying the connection.
            source = draft(given, self.original)
        except Wrong as wrong:
            self.errors = wrong.errors | unread
        else:
            self.errors = unread
        self._say_what_is_missing()
        if self.errors:
            return None
        if to_try:
            source.name = self.name or UNNAMED
        return source

    def set_mapping(self, mapping: dict[str, str]) -> None:
        """Fill the mapping's fields in."""
        self.mapping_texts = _written_mapping(mapping)

    def mapping_value(self) -> tuple[dict[str, str], dict[str, str]]:
        """The mapping as answered, and what of it cannot be read at all, by field."""
        value = {field: self.mapping_texts[field] for field in FIELDS if self.mapping_texts[field].strip()}
        try:
            more = texts.read(self.mapping_texts[MORE], "pairs") or {}
        except texts.NotReadable as error:
            return value, {f"mapping.{MORE}": str(error)}
        named = {f"{METADATA}{name.removeprefix(METADATA)}": str(text) for name, text in more.items()}
        return value | named, {}

    def _given(self, name: str, mapping: dict[str, str]) -> Given:
        config: dict[str, Any] = {}
        secrets: dict[str, str | None] = {}
        defaults = _defaults(self.kind)
        before = self.original.config if self.original else {}
        for ask in self.layout.asks():
            if not ask.field:
                continue
            asked = self.layout.is_asked(ask, self.answers)
            if ask.widget in ("secret", "secret-pem"):
                self._give_secret(ask, asked, secrets)
                continue
            if not asked:
                continue
            if ask.field in before and self._is_untouched(ask):
                config[ask.field] = self._shown.get(ask.field)
                continue
            try:
                value = texts.read(self.answers[ask.name], ask.widget)
            except texts.NotReadable as error:
                self.errors[f"config.{ask.field}"] = str(error)
                continue
            if value is not None and (value != defaults.get(ask.field) or ask.field in before):
                config[ask.field] = value
        self._give_what_was_in_others(config, secrets)
        return Given(
            name=name,
            kind=self.kind,
            role=self.role,
            enabled=self.enabled,
            config=config,
            secrets=secrets,
            mapping=mapping,
        )

    def _is_untouched(self, ask: Ask) -> bool:
        """Whether the field's text is how its value is written: then the value stays, to the letter."""
        written = texts.write(self._shown.get(ask.field), ask.widget)
        return written.split() == self.answers[ask.name].split()

    def _give_secret(self, ask: Ask, asked: bool, secrets: dict[str, str | None]) -> None:
        text = texts.read(self.answers[ask.name], ask.widget)
        removed = self._data is not None and f"{CONFIG}{ask.name}{REMOVE}" in self._data
        if not asked or (removed and text is None):
            secrets[ask.field] = None
        elif text is not None:
            secrets[ask.field] = text

    def _give_what_was_in_others(self, config: dict[str, Any], secrets: dict[str, str | None]) -> None:
        """Secrets in addresses and settings: gone when the dots that stood for them are."""
        _, still_there = parts.take_out(self.kind, config)
        for name in self._set:
            if "." in name and name not in still_there:
                secrets[name] = None

    def _say_what_is_missing(self) -> None:
        for ask in self.layout.asks():
            where = f"config.{ask.field}"
            if not (ask.required and self.layout.is_asked(ask, self.answers)) or where in self.errors:
                continue
            is_kept = ask.field in self._set and ask.widget in ("secret", "secret-pem")
            if not self.answers[ask.name].strip() and not is_kept:
                self.errors[where] = "It is needed."
                self.errors.pop("config", None)

    # -- Where it comes from ---------------------------------------------------------------------

    def _text(self, name: str, otherwise: str) -> str:
        return otherwise if self._data is None else str(self._data.get(name) or "").strip()

    def _answer(self, ask: Ask) -> str:
        if self._data is not None:
            return str(self._data.get(CONFIG + ask.name) or "")
        if not ask.field:
            return decided(ask, self.layout, self._shown)
        value = self._shown.get(ask.field)
        return self._unsaid(ask) if value is None else texts.write(value, ask.widget)

    def _field(self, ask: Ask) -> Field:
        is_secret = ask.widget in ("secret", "secret-pem")
        error = self.errors.get(f"config.{ask.field}", "") or self.errors.get(f"secrets.{ask.field}", "")
        if ask.widget == "pairs":
            hidden = [text for name, text in self.errors.items() if name.startswith("secrets.settings.")]
            error = error or next(iter(hidden), "")
        asked = self.layout.is_asked(ask, self.answers)
        return Field(
            ask=ask,
            name=CONFIG + ask.name,
            text="" if is_secret else self.answers[ask.name],
            error=error if asked else "",
            is_asked=asked,
            is_set=is_secret and ask.field in self._set,
            is_filled=not is_secret and self.answers[ask.name].strip() != self._unsaid(ask),
        )

    def _unsaid(self, ask: Ask) -> str:
        """How the field is written when nothing is said."""
        if not ask.field:
            return next(iter(ask.options))
        value = _defaults(self.kind).get(ask.field)
        return texts.write(value, ask.widget) if value is not None else next(iter(ask.options), "")

    def _mapping_texts(self, mapping: dict[str, Any]) -> dict[str, str]:
        if self._data is not None:
            return {name: str(self._data.get(MAPPING + name) or "") for name in (*FIELDS, MORE)}
        return _written_mapping(mapping)

    def _names_of_secrets(self) -> list[str]:
        if self.original is None:
            return []
        try:
            return sorted(keeping.secrets_of(self.original))
        except (keys.Unreadable, keys.BadKey):
            self.are_secrets_lost = True
            return []


def _when(conditions: dict[str, tuple[str, ...]]) -> str:
    return msgspec.json.encode({CONFIG + name: wanted for name, wanted in conditions.items()}).decode()


def _written_mapping(mapping: dict[str, Any]) -> dict[str, str]:
    more = {name.removeprefix(METADATA): text for name, text in mapping.items() if name.startswith(METADATA)}
    found = {field: str(mapping.get(field) or "") for field in FIELDS}
    return found | {MORE: texts.write(more, "pairs")}


def _defaults(kind: str) -> dict[str, Any]:
    """What a config of `kind` has where nothing is said."""
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(CONFIGS[kind]):
        if field.default is not msgspec.NODEFAULT:
            found[field.name] = field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            found[field.name] = field.default_factory()
    return found
