from typing import Annotated

from eventhub.brokers.configs.fields import BrokerConfig, NonEmpty, described


class OutboxConfig(BrokerConfig, frozen=True, forbid_unknown_fields=True):
    """The outbox table of this installation's own database."""

    topics: Annotated[
        list[NonEmpty], described("a list of topics to read; empty or left out, all of them")
    ] = []

    def reads(self) -> list[str]:
        """Topics; none means all of them."""
        return self.topics
