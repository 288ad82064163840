from typing import Annotated

from msgspec import Meta

from eventhub.brokers.configs.fields import BrokerConfig, NonEmpty, Secret, described


class RedisConfig(BrokerConfig, frozen=True, forbid_unknown_fields=True):
    """Redis Streams, read as one consumer group."""

    streams: Annotated[
        list[NonEmpty], described('a list of stream names, e.g. ["orders", "payments"]', min_length=1)
    ]
    group: Annotated[NonEmpty, described('the consumer group\'s name, e.g. "eventhub" (the default)')] = (
        "eventhub"
    )
    url: Annotated[
        Annotated[str, Meta(pattern=r"^(rediss?|unix)://")] | None,
        described(
            'the address, e.g. "redis://host:6379/0" or "rediss://user@host:6379/0"; left out, it is the '
            "installation's REDIS_URL"
        ),
    ] = None
    password: Annotated[
        Secret | None, described("the password to sign in with, where the address needs one")
    ] = None
    start: Annotated[
        Annotated[str, Meta(pattern=r"^(0|\$|\d+(-\d+)?)$")],
        described(
            'where a new group begins: "0" (everything there is, the default), "$" (only what comes from now on), '
            'or an entry id such as "1700000000000-0"'
        ),
    ] = "0"

    def reads(self) -> list[str]:
        """Streams."""
        return self.streams
