"""What the API of sources is sent and answers with."""

from datetime import datetime
from typing import Annotated, Any

from ninja import Field, Path, Schema

from eventhub.brokers.models import Kind

Name = Annotated[str, Path(description="The source's name.")]
CONFIG = (
    "What its kind of broker needs; GET /api/source-kinds tells. Secrets may stand in it; they are taken out, "
    "encrypted, and not shown again."
)
SECRETS = "Secrets by name: a text replaces one, null takes it away. What is not named stays as it is."


class SourceIn(Schema):
    """A new source."""

    name: str
    kind: Kind
    role: str = Field("events", description="events or dead_letters.")
    enabled: bool = True
    config: dict[str, Any] = Field({}, description=CONFIG)
    mapping: dict[str, str] = Field({}, description="JMESPath expressions by the envelope's fields.")


class DraftIn(Schema):
    """A source that is tried and not saved."""

    kind: Kind
    role: str = "events"
    config: dict[str, Any] = Field({}, description=CONFIG)
    mapping: dict[str, str] = {}
    like: str | None = Field(
        None, description="The name of a source that is there: secrets that are left out are its."
    )
    secrets: dict[str, str | None] = Field({}, description=SECRETS)


class ChangeIn(Schema):
    """What is to be different; what is left out stays."""

    name: str | None = None
    role: str | None = None
    enabled: bool | None = None
    config: dict[str, Any] | None = Field(
        None, description="The whole config. Secrets that it leaves out stay as they are."
    )
    secrets: dict[str, str | None] = Field({}, description=SECRETS)
    mapping: dict[str, str] | None = Field(None, description="The whole mapping; {} takes it away.")


class SourceInFull(Schema):
    """A source as it is configured."""

    name: str
    kind: str
    role: str
    enabled: bool
    paused: bool
    config: dict[str, Any] = Field(description="Without its secrets.")
    secrets: list[str] = Field(description="The names of the secrets that are set.")
    mapping: dict[str, Any]
    created_at: datetime
    changed_at: datetime


class ReportOut(Schema):
    """What came of a test."""

    ok: bool
    text: str
    problem: str = Field(description="What went wrong, in a word or two; empty when nothing did.")
    advice: str
    notes: list[str] = Field(description="What is not there yet of what the source names.")


class EventOut(Schema):
    """The event that a message would be."""

    event_id: str
    event_type: str
    event_version: str | None
    occurred_at: datetime
    source: str | None
    correlation_id: str | None
    causation_id: str | None
    stream: str | None
    stream_version: int | None


class ReadingOut(Schema):
    """What would become of a message."""

    number: int
    place: str
    verdict: str = Field(description="event, warned (it breaks its schema and passes) or letter.")
    kind: str
    reason: str
    body: str = Field(description="As text; the first 64 kB.")
    event: EventOut | None


class PreviewOut(Schema):
    """Messages as they would be read, the newest first."""

    items: list[ReadingOut]


class KeyOut(Schema):
    """A key of a config."""

    name: str
    meaning: str
    needed: bool
    secret: bool


class KindOut(Schema):
    """A kind of broker."""

    kind: str
    label: str
    keys: list[KeyOut]
    example: str = Field(description="A config, as JSON text.")


class Problem(Schema):
    """Why the request was refused, and what to do."""

    detail: str
    errors: dict[str, str] = Field({}, description="What is wrong, by field: name, config.topics, …")
