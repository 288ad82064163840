"""Checks of the handlers that the code declares; they connect to nothing."""

import inspect
import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, register

from eventhub.handlers import registry
from eventhub.handlers.patterns import BadPattern, check
from eventhub.handlers.registry import Subscription

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")


def connect() -> None:
    """Register the checks with Django."""
    register(check_handlers)


def check_handlers(app_configs: Any = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """Names, patterns and functions of all declared handlers."""
    declared = registry.declared()
    return [
        *_names_twice(declared),
        *[finding for subscription in declared for finding in _of_one(subscription)],
    ]


def _names_twice(declared: Sequence[Subscription]) -> list[CheckMessage]:
    places: dict[str, list[str]] = defaultdict(list)
    for subscription in declared:
        places[subscription.name].append(subscription.place)
    return [
        Error(
            f"Two handlers are named {name!r}: {' and '.join(where)}.",
            hint="Give one of them a name= of its own. What is delivered, and what is done, is remembered by the name.",
            id="handlers.E001",
        )
        for name, where in places.items()
        if len(where) > 1
    ]


def _of_one(subscription: Subscription) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    for pattern in subscription.patterns:
        try:
            check(pattern)
        except BadPattern as error:
            found.append(
                Error(
                    f"The handler {subscription.place} asks for {pattern!r}, which {error}.",
                    hint='Patterns look like "order.placed" or "order.*".',
                    id="handlers.E002",
                )
            )
    if not NAME.fullmatch(subscription.name):
        found.append(
            Error(
                f"The handler {subscription.place} is named {subscription.name!r}.",
                hint="A name has up to 100 letters, digits, dots, dashes and underscores: it is part of addresses.",
                id="handlers.E003",
            )
        )
    if inspect.iscoroutinefunction(subscription.function):
        found.append(
            Error(
                f"The handler {subscription.place} is an async function.",
                hint="Write it as a plain function: its database work has to share a transaction with the mark that "
                "the event is handled, and an async function works on another connection.",
                id="handlers.E004",
            )
        )
    return found
