"""What each kind of broker needs to know, checked before anything is saved or opened.

A kind's config is a frozen Struct; its fields' descriptions are the help that the admin shows and the words that a
mistake is answered with.
"""

import re
from typing import Annotated, Any, TypeVar, overload

import msgspec
from msgspec import Meta

from eventhub.brokers.adapter import BadConfig
from eventhub.brokers.models import Kind, Source

NonEmpty = Annotated[str, Meta(min_length=1)]


class RedisConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Redis Streams, read as one consumer group."""

    streams: Annotated[
        list[NonEmpty],
        Meta(min_length=1, description='a list of stream names, e.g. ["orders", "payments"]'),
    ]
    group: Annotated[
        NonEmpty, Meta(description='the consumer group\'s name, e.g. "eventhub" (the default)')
    ] = "eventhub"
    url: Annotated[
        Annotated[str, Meta(pattern=r"^(rediss?|unix)://")] | None,
        Meta(
            description='the address, e.g. "redis://:password@host:6379/0"; left out, it is the '
            "installation's REDIS_URL"
        ),
    ] = None
    start: Annotated[
        Annotated[str, Meta(pattern=r"^(0|\$|\d+(-\d+)?)$")],
        Meta(
            description='where a new group begins: "0" (everything there is, the default), "$" (only what comes from '
            'now on), or an entry id such as "1700000000000-0"'
        ),
    ] = "0"


class OutboxConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The outbox table of this installation's own database."""

    topics: Annotated[
        list[NonEmpty], Meta(description="a list of topics to read; empty or left out, all of them")
    ] = []


class HttpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events sent to ``POST /api/events``: there is nothing to set."""


Config = RedisConfig | OutboxConfig | HttpConfig
C = TypeVar("C", bound=RedisConfig | OutboxConfig | HttpConfig)

CONFIGS: dict[str, type[Config]] = {
    Kind.REDIS: RedisConfig,
    Kind.OUTBOX: OutboxConfig,
    Kind.HTTP: HttpConfig,
}
EXAMPLES: dict[str, Config] = {
    Kind.REDIS: RedisConfig(streams=["orders", "payments"], group="eventhub", start="0"),
    Kind.OUTBOX: OutboxConfig(topics=["orders"]),
    Kind.HTTP: HttpConfig(),
}


@overload
def read_config(source: Source) -> Config: ...
@overload
def read_config(source: Source, expected: type[C]) -> C: ...
def read_config(source: Source, expected: type[C] | None = None) -> Config | C:
    """The checked config of `source`; `expected` is for callers that know the kind and want its type.

    Raises BadConfig, which names the key and what it should hold.
    """
    config = parse_config(source.kind, source.config)
    if expected is not None and not isinstance(config, expected):
        wanted = next(kind for kind, struct in CONFIGS.items() if struct is expected)
        raise BadConfig(
            f"The source {source.name!r} is of kind '{source.kind}'; this needs one of '{wanted}'."
        )
    return config


def parse_config(kind: str, value: Any) -> Config:
    """`value` (parsed JSON) as the config of a `kind` of broker. Raises BadConfig."""
    struct = CONFIGS.get(kind)
    if struct is None:
        known = ", ".join(sorted(CONFIGS))
        raise BadConfig(f"Unknown kind of source {kind!r}. Known kinds: {known}.")
    try:
        return msgspec.convert(value, struct)
    except msgspec.ValidationError as error:
        raise BadConfig(_explain(struct, str(error))) from error


def describe(kind: str) -> list[tuple[str, str, bool]]:
    """For each key of the config of `kind`: its name, what it should hold, and whether it must be there."""
    struct = CONFIGS[kind]
    return [
        (field.name, _description(struct, field.name), field.required)
        for field in msgspec.structs.fields(struct)
    ]


def example(kind: str) -> str:
    """A complete config of `kind` as JSON text."""
    text = msgspec.json.encode(
        {k: v for k, v in msgspec.structs.asdict(EXAMPLES[kind]).items() if v is not None}
    )
    return text.decode()


def _explain(struct: type[Config], message: str) -> str:
    """Turn msgspec's message into one that names the key and says what it should hold."""
    keys = [field.name for field in msgspec.structs.fields(struct)]
    if unknown := re.search(r"unknown field `([^`]*)`", message):
        allowed = (
            f"Known keys: {', '.join(keys)}." if keys else "This kind of source has no settings: leave it {}."
        )
        return f"The config has an unknown key {unknown[1]!r}. {allowed}"
    if missing := re.search(r"missing required field `([^`]*)`", message):
        return f"The config lacks {missing[1]!r}: {_description(struct, missing[1])}."
    if at := re.search(r"at `\$\.(\w+)", message):
        return f"The config's {at[1]!r} should be {_description(struct, at[1])}."
    wanted = ", ".join(keys) or "nothing"
    return f"The config should be a JSON object with the keys {wanted}."


def _description(struct: type[Config], key: str) -> str:
    schema = msgspec.json.schema(struct)
    name = schema["$ref"].rsplit("/", 1)[-1]
    described: str = schema["$defs"][name]["properties"][key].get("description", "")
    return described
