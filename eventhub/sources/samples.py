"""The messages that a preview shows, kept for a few minutes: a mapping is edited without asking the broker again."""

import secrets
from collections.abc import Sequence

import msgspec
from django.core.cache import cache

from eventhub.events.message import Message

KEPT_FOR_S = 900
# What a sample may hold: a larger message is left out of it.
MAX_MESSAGE_BYTES = 512 * 1024
MAX_SAMPLE_BYTES = 4 * 1024 * 1024

_decode = msgspec.msgpack.Decoder(list[Message]).decode


def keep(messages: Sequence[Message], user_id: int | None) -> str:
    """Keep the sample for this person; returns the name to find it by."""
    name = secrets.token_urlsafe(16)
    cache.set(_key(name, user_id), msgspec.msgpack.encode(messages), KEPT_FOR_S)
    return name


def find(name: str, user_id: int | None) -> list[Message] | None:
    """The sample of this name, None when it is none of this person's or too old."""
    found = cache.get(_key(name, user_id)) if name else None
    if found is None:
        return None
    cache.touch(_key(name, user_id), KEPT_FOR_S)
    return _decode(found)


def fitting(messages: Sequence[Message]) -> tuple[list[Message], int]:
    """Those of `messages` that a sample has room for, and how many it has not."""
    fit: list[Message] = []
    size = 0
    for message in messages:
        if len(message.body) <= MAX_MESSAGE_BYTES and size + len(message.body) <= MAX_SAMPLE_BYTES:
            fit.append(message)
            size += len(message.body)
    return fit, len(messages) - len(fit)


def _key(name: str, user_id: int | None) -> str:
    return f"source-sample:{user_id}:{name}"
