from typing import Annotated

import msgspec
from msgspec import Meta

from eventhub.brokers.configs.fields import NonEmpty, described


class RedisConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
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
            'the address, e.g. "redis://:password@host:6379/0"; left out, it is the installation\'s REDIS_URL'
        ),
    ] = None
    start: Annotated[
        Annotated[str, Meta(pattern=r"^(0|\$|\d+(-\d+)?)$")],
        described(
            'where a new group begins: "0" (everything there is, the default), "$" (only what comes from now on), '
            'or an entry id such as "1700000000000-0"'
        ),
    ] = "0"
