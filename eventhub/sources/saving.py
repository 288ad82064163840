"""Saving a source and noting who did it: what changed, never a secret."""

from typing import Any

from django.db import transaction

from eventhub.access import audit
from eventhub.brokers.adapter import is_polled
from eventhub.brokers.models import Source
from eventhub.brokers.secrets import keeping, keys

PLAIN = ("name", "role", "enabled", "config", "mapping")


@transaction.atomic
def save(source: Source, original: Source | None, actor: audit.Actor) -> list[str]:
    """Save `source`, which was drafted from `original`, and note what changed; returns the names of what changed.

    Workers begin it, or begin it anew, within a second.
    """
    changed, secrets = differences(original, source)
    if original is not None and not changed and not secrets:
        return []
    source.save()
    verb = "change" if original else "create"
    detail: dict[str, Any] = (
        {"changed": changed} if original else {"kind": source.kind, "config": source.config}
    )
    audit.record(actor, verb, f"source {source.name}", **detail, **({"secrets": secrets} if secrets else {}))
    return [*changed, *secrets]


def wants_a_test(original: Source | None, source: Source) -> bool:
    """Whether the connection of `source` is another one than that of `original`, where there is any."""
    if not is_polled(source):
        return False
    if original is None:
        return True
    changed, secrets = differences(original, source)
    return bool(secrets) or any(name.startswith("config") for name in changed)


def differences(original: Source | None, source: Source) -> tuple[dict[str, Any], list[str]]:
    """What is different in `source`: by name, before and after; and the names of the secrets that are."""
    if original is None:
        return {}, keeping.names_of(source)
    changed: dict[str, Any] = {}
    for field in PLAIN:
        before, after = getattr(original, field), getattr(source, field)
        if isinstance(before, dict) and isinstance(after, dict):
            for name in sorted({*before, *after}):
                if before.get(name) != after.get(name):
                    changed[f"{field}.{name}"] = {"from": before.get(name), "to": after.get(name)}
        elif before != after:
            changed[field] = {"from": before, "to": after}
    return changed, _different_secrets(original, source)


def _different_secrets(original: Source, source: Source) -> list[str]:
    after = keeping.secrets_of(source)
    try:
        before = keeping.secrets_of(original)
    except keys.Unreadable:
        return sorted(after)
    return sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
