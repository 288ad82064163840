"""What the configs share."""

from functools import cache
from typing import Annotated, Any

import msgspec
from msgspec import Meta

NonEmpty = Annotated[str, Meta(min_length=1)]
# What must not be shown again: `secret_names` finds the fields of a config that hold one.
Secret = Annotated[str, Meta(min_length=1, extra_json_schema={"writeOnly": True})]


class BrokerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a kind of broker needs to know."""

    def __repr__(self) -> str:
        """Only what it reads: addresses and settings may hold secrets too, and end in logs and tracebacks."""
        return f"{type(self).__name__}({', '.join(self.reads())})"

    __str__ = __repr__

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """As `__repr__`."""
        return [("reads", self.reads())]

    def reads(self) -> list[str]:
        """The names of the topics, queues or streams it leads to, for people."""
        return []


def described(text: str, **limits: Any) -> Meta:
    """What a field should hold, in words that go after "should be"."""
    return Meta(description=text, **limits)


@cache
def secret_names(config: type[msgspec.Struct]) -> frozenset[str]:
    """The fields of `config` that hold a secret."""
    schema = msgspec.json.schema(config)
    properties: dict[str, dict[str, Any]] = schema["$defs"][schema["$ref"].rsplit("/", 1)[-1]]["properties"]
    return frozenset(
        name
        for name, field in properties.items()
        if field.get("writeOnly") or any(part.get("writeOnly") for part in field.get("anyOf", []))
    )
