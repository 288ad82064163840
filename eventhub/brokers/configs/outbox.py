from typing import Annotated

import msgspec

from eventhub.brokers.configs.fields import NonEmpty, described


class OutboxConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The outbox table of this installation's own database."""

    topics: Annotated[
        list[NonEmpty], described("a list of topics to read; empty or left out, all of them")
    ] = []
