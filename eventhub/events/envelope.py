"""The event: what EventHub stores, whatever envelope it came in."""

from datetime import datetime

import msgspec

from eventhub.events.message import HeaderPairs

# Room for what people use as ids, and small enough that every index entry fits a page of PostgreSQL.
MAX_TEXT = 500


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event, read and checked for form, ready to be stored.

    `data` and `metadata` are JSON texts as they came, so that storing does not encode them again.
    `has_producer_id` and `has_producer_time` tell a promise of the producer from what EventHub filled in.
    """

    event_id: str
    event_type: str
    # Timezone-aware.
    occurred_at: datetime
    data: str = "null"
    metadata: str = "{}"
    event_version: str | None = None
    # The service that published it.
    source: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    stream: str | None = None
    stream_version: int | None = None
    has_producer_id: bool = True
    has_producer_time: bool = True
    # All headers of it, where some came inside the envelope (SNS); empty where the message's are all.
    headers: HeaderPairs = ()


class Undecodable(ValueError):
    """The message is not an event that EventHub can read. `reason` says why, for people."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(reason)
        # A short stable word for grouping: "NotJson", "NotUtf8", "MissingField", "TooLarge", …
        self.kind = kind
        self.reason = reason
