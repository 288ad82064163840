"""Which fields are marked, and what ingest does about them."""

from collections.abc import Sequence
from time import monotonic
from typing import Any

import msgspec

from eventhub.events.envelope import Event
from eventhub.schemas.models import PersonalField, Treatment
from eventhub.schemas.personal.paths import Steps, masked, steps_of, without
from eventhub.schemas.personal.sealing import PREFIX, covered_data, sealed

LOOK_FOR_CHANGES_EVERY_S = 3.0


class PersonalFields:
    """The marked fields of this installation, looked up again every few seconds. One for each thread."""

    def __init__(self) -> None:
        self._by_type: dict[str, dict[str, list[Steps]]] = {}
        self._look_at = 0.0

    def refresh(self) -> None:
        """Load them, if it is time to look."""
        if monotonic() < self._look_at:
            return
        self._look_at = monotonic() + LOOK_FOR_CHANGES_EVERY_S
        found: dict[str, dict[str, list[Steps]]] = {}
        for name, path, treatment in PersonalField.objects.values_list(
            "event_type__name", "path", "treatment"
        ):
            found.setdefault(name, {}).setdefault(treatment, []).append(steps_of(path))
        self._by_type = found

    def forget(self) -> None:
        """Look again at the next need."""
        self._look_at = 0.0

    def as_stored(self, event: Event) -> Event:
        """The event without what is not to be stored, and with what is to be sealed; the same where nothing is."""
        fields = self._by_type.get(event.event_type)
        if fields is None or fields.keys() <= {Treatment.MASK}:
            return event
        try:
            data = msgspec.json.decode(event.data)
        except msgspec.DecodeError:  # the store says what is wrong with it
            return event
        data = without(data, fields.get(Treatment.DROP, ()))
        data = sealed(event, data, fields.get(Treatment.ENCRYPT, []))
        return msgspec.structs.replace(event, data=msgspec.json.encode(data).decode())

    def covered(self, event: Event) -> Event:
        """The event with masks, for what is kept of it beside its message: values to search by, titles."""
        if not self.marked(event.event_type):
            return event
        try:
            data = self.shown(event.event_type, msgspec.json.decode(event.data))
        except msgspec.DecodeError:
            return event
        return msgspec.structs.replace(event, data=msgspec.json.encode(data).decode())

    def paths(self, event_type: str | None) -> Sequence[Steps]:
        """The marked fields of a type."""
        self.refresh()
        fields = self._by_type.get(event_type or "")
        return [path for paths in fields.values() for path in paths] if fields else ()

    def any_marked(self) -> bool:
        """Whether any field of any type is marked."""
        self.refresh()
        return bool(self._by_type)

    def marked(self, event_type: str) -> bool:
        """Whether any field of this type is marked."""
        self.refresh()
        return event_type in self._by_type

    def shown(self, event_type: str, data: Any) -> Any:
        """The data as those see it who may not see personal data."""
        return masked(data, self.paths(event_type))

    def shown_text(self, event_type: str, text: str) -> str:
        """The same of data as JSON text; the very text where there is nothing to hide."""
        is_sealed = PREFIX in text
        if not is_sealed and not self.marked(event_type):
            return text
        value = msgspec.json.decode(text)
        shown = self.shown(event_type, covered_data(value) if is_sealed else value)
        return msgspec.json.encode(shown).decode()


# For whoever shows events; ingest has one for each thread.
fields = PersonalFields()
