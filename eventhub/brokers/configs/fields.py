"""Types that the configs share."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta

NonEmpty = Annotated[str, Meta(min_length=1)]
# What must not be shown again: `secret_names` finds the fields of a config that hold one.
Secret = Annotated[str, Meta(min_length=1, extra_json_schema={"writeOnly": True})]


def described(text: str, **limits: Any) -> Meta:
    """What a field should hold, in words that go after "should be"."""
    return Meta(description=text, **limits)


def secret_names(config: type[msgspec.Struct]) -> frozenset[str]:
    """The fields of `config` that hold a secret."""
    schema = msgspec.json.schema(config)
    properties: dict[str, dict[str, Any]] = schema["$defs"][schema["$ref"].rsplit("/", 1)[-1]]["properties"]
    return frozenset(
        name
        for name, field in properties.items()
        if field.get("writeOnly") or any(part.get("writeOnly") for part in field.get("anyOf", []))
    )
