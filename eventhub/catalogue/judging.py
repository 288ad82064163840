"""A schema that somebody is writing: what is wrong with it, what it changes, what it would break."""

from collections.abc import Sequence
from typing import Any

import msgspec

from dlq.edits.comparing import Row, compare
from eventhub.schemas.checking import Flaw, read_text
from eventhub.schemas.compatibility import Verdict
from eventhub.schemas.drift import Drift, Seen, drift
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion
from eventhub.schemas.registry.store import judged, level_of, published
from eventhub.schemas.textual import text_of


class Judged(msgspec.Struct, frozen=True):
    """What can be said of a schema before it is saved."""

    schema: Any
    flaws: Sequence[Flaw]
    # Against the version before; empty when nothing differs, or there is none.
    rows: Sequence[Row] = ()
    before: SchemaVersion | None = None
    verdict: Verdict | None = None
    # What it would have said of the last week's events.
    impact: Drift | None = None
    senders: Sequence[str] = ()

    @property
    def may_be_published(self) -> bool:
        """Whether it is a schema and breaks no promise."""
        return not self.flaws and (self.verdict is None or self.verdict.is_compatible)

    @property
    def flaw_lines(self) -> str:
        """The lines to mark, with spaces between."""
        return " ".join(str(flaw.line) for flaw in self.flaws if flaw.line)


def judge_text(
    event_type: EventType, text: str, events: Sequence[Seen], editing: SchemaVersion | None
) -> Judged:
    """What a person typed for a version of `event_type`; `editing` is the draft that it is a new text of."""
    schema, flaws = read_text(text)
    if flaws:
        return Judged(schema, flaws)
    earlier = [one for one in published(event_type) if one.status == SchemaStatus.ACTIVE]
    if editing is not None:
        earlier = [one for one in earlier if one.pk != editing.pk]
    before = earlier[-1] if earlier else None
    return Judged(
        schema=schema,
        flaws=(),
        before=before,
        rows=compare(text_of(before.schema), text_of(schema)) if before else (),
        verdict=judged(event_type, schema, earlier, "this version") if earlier else None,
        impact=drift(schema, events) if events else None,
        senders=sorted({event.source for event in events if event.source}),
    )


def level_words(event_type: EventType) -> str:
    """What a new version must keep to, for people."""
    level = level_of(event_type)
    if level == "NONE":
        return "Nothing is promised: any change may be published."
    words = []
    if level.is_backward:
        words.append("new consumers must read events of earlier versions")
    if level.is_forward:
        words.append("consumers of earlier versions must read new events")
    against = "every earlier version" if level.is_transitive else "the version before"
    return f"{level}: {' and '.join(words)}, against {against}."
