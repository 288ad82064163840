"""The secrets of a Source: moved out of its config, encrypted; put back where an adapter needs them."""

from collections.abc import Mapping
from typing import Any, Protocol

from eventhub.brokers.secrets import keys, parts, scrubbing


class HasSecrets(Protocol):
    """A Source, as far as its secrets go."""

    name: str
    kind: str
    config: Any
    secrets: str


def secrets_of(source: HasSecrets) -> dict[str, Any]:
    """The secrets of `source` by name, those in a config that was not saved yet among them.

    Raises keys.Unreadable, keys.BadKey.
    """
    secrets = keys.decrypt(source.secrets) | parts.take_out(source.kind, source.config)[1]
    scrubbing.remember(secrets.values())
    return secrets


def names_of(source: HasSecrets) -> list[str]:
    """The names of its secrets; none when they cannot be read."""
    try:
        return sorted(secrets_of(source))
    except (keys.Unreadable, keys.BadKey):
        return []


def whole_config(source: HasSecrets) -> Any:
    """The config with its secrets, for whoever connects to the broker. Raises keys.Unreadable, keys.BadKey."""
    return parts.put_back(source.config, secrets_of(source))


def shown_config(source: HasSecrets) -> Any:
    """The config with dots where its secrets are, for whoever looks at it."""
    return parts.with_dots(source.kind, source.config, names_of(source))


def same_secrets(one: HasSecrets, other: HasSecrets) -> bool:
    """Whether both have the same secrets, whatever key each is encrypted with."""
    if one.secrets == other.secrets:
        return True
    try:
        return keys.decrypt(one.secrets) == keys.decrypt(other.secrets)
    except (keys.Unreadable, keys.BadKey):
        return False


def move(source: HasSecrets) -> None:
    """Take the secrets out of `source.config` and add them to those it has; called whenever a Source is saved.

    What cannot be read any more is replaced when new ones come, and stays as it is otherwise. Raises keys.BadKey.
    """
    plain, new = parts.take_out(source.kind, source.config)
    if not new and not source.secrets:
        return
    try:
        before = keys.decrypt(source.secrets)
    except keys.Unreadable:
        if not new:
            return
        before = {}
    source.config = plain
    replace(source, parts.still_used(source.kind, plain, before | new))


def replace(source: HasSecrets, secrets: Mapping[str, Any]) -> None:
    """Set all secrets of `source`. Its encrypted text stays the same when they are the same. Raises keys.BadKey."""
    scrubbing.remember(secrets.values())
    try:
        is_same = keys.decrypt(source.secrets) == secrets
    except keys.Unreadable:
        is_same = False
    if not is_same:
        source.secrets = keys.encrypt(secrets)
