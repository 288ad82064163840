"""What a format of dead-letter headers is."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol

import msgspec

from eventhub.events.message import Message


class Death(msgspec.Struct, frozen=True):
    """What the headers of a dead-lettered message tell about its failure; what they do not tell is empty."""

    error_class: str = ""
    error_message: str = ""
    stack: str = ""
    # The service or consumer group that gave up.
    failed_in: str = ""
    # Where it was before it died, and where a retry goes; empty when the headers do not say.
    topic: str = ""
    attempts: int = 1
    failed_at: datetime | None = None


class Format(Protocol):
    """One way of telling a death in headers."""

    name: str

    def recognises(self, headers: Mapping[str, str]) -> bool:
        """Whether these headers (names in lower case) are of this format."""

    def read(self, message: Message) -> Death:
        """The death they tell. Never raises: what cannot be read stays empty."""

    def owns(self, header: str) -> bool:
        """Whether a header tells of the failure, and so is left off when the message is sent again."""
