"""A source's config: JSON, checked against what its kind of broker needs before it is saved or used."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, overload

import msgspec

from eventhub.brokers.adapter import BadConfig
from eventhub.brokers.configs import (
    CONFIGS,
    EXAMPLES,
    Config,
    HttpConfig,
    KafkaConfig,
    OutboxConfig,
    RabbitmqConfig,
    RedisConfig,
    SqsConfig,
)
from eventhub.brokers.secrets import keeping, keys

if TYPE_CHECKING:  # the outbox's relay publishes in projects that have no sources
    from eventhub.brokers.models import Source

__all__ = [
    "HttpConfig",
    "KafkaConfig",
    "OutboxConfig",
    "RabbitmqConfig",
    "RedisConfig",
    "SqsConfig",
    "describe",
    "example",
    "parse_config",
    "problems",
    "read_config",
    "reads",
]

C = TypeVar("C", bound=Config)


@overload
def read_config(source: "Source") -> Config: ...
@overload
def read_config(source: "Source", expected: type[C]) -> C: ...
def read_config(source: "Source", expected: type[C] | None = None) -> Config | C:
    """The checked config of `source` with its secrets; `expected` is for callers that want the type of its kind.

    Raises BadConfig, which names the key and what it should hold.
    """
    config = parse_config(source.kind, _whole(source))
    if expected is not None and not isinstance(config, expected):
        wanted = next(kind for kind, struct in CONFIGS.items() if struct is expected)
        raise BadConfig(
            f"The source {source.name!r} is of kind '{source.kind}'; this needs one of '{wanted}'."
        )
    return config


def _whole(source: "Source") -> Any:
    try:
        return keeping.whole_config(source)
    except keys.Unreadable:
        raise BadConfig(
            f"The secrets of the source {source.name!r} cannot be read with the keys of SECRETS_KEYS. Enter them again "
            "on its page (Edit), or put back the key that they were encrypted with."
        ) from None
    except keys.BadKey as error:
        raise BadConfig(str(error)) from None


def parse_config(kind: str, value: Any) -> Config:
    """`value` (parsed JSON) as the config of a `kind` of broker. Raises BadConfig."""
    struct = CONFIGS.get(kind)
    if struct is None:
        known = ", ".join(sorted(CONFIGS))
        raise BadConfig(f"Unknown kind of source {kind!r}. Known kinds: {known}.")
    try:
        return msgspec.convert(value, struct)
    except msgspec.ValidationError as error:
        # What a Struct finds itself, when all its fields are there, says by itself what to do.
        own = isinstance(error.__cause__, ValueError)
        raise BadConfig(str(error.__cause__) if own else _explain(struct, str(error))) from error


def reads(source: "Source") -> list[str]:
    """The names of what `source` reads, for people; none when its config cannot be used."""
    try:
        return parse_config(source.kind, source.config).reads()
    except BadConfig:
        return []


def problems(kind: str, value: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with a config of `kind`, by its keys, as sentences; empty when nothing is.

    What is wrong with it as a whole stands under "".
    """
    struct = CONFIGS[kind]
    found: dict[str, str] = {}
    for field in msgspec.structs.fields(struct):
        if field.name in value:
            try:
                msgspec.convert(value[field.name], field.type)
            except msgspec.ValidationError:
                found[field.name] = f"It should be {_description(struct, field.name)}."
        elif field.required:
            found[field.name] = f"It is needed: {_description(struct, field.name)}."
    if not found:
        try:
            parse_config(kind, value)
        except BadConfig as error:
            named = [key for key in re.findall(r"'(\w+)'", str(error)) if key in struct.__struct_fields__]
            found[named[0] if named else ""] = str(error)
    return found


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
