"""Who did what: every deed of a person or a script on this installation leaves an entry."""

from typing import Any

import msgspec
from django.http import HttpRequest

from eventhub.access.models import ApiToken, AuditEntry


class Actor(msgspec.Struct, frozen=True):
    """Who acts: a person, a script by its API token, or EventHub itself."""

    name: str
    user_id: int | None = None


SYSTEM = Actor("eventhub")


def actor_of(request: HttpRequest) -> Actor:
    """Who sent this request: the API token that authenticated it, else the logged-in person."""
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken):
        return Actor(f"token {token.name}")
    return Actor(request.user.get_username(), request.user.pk)


def record(actor: Actor, action: str, target: str, **detail: Any) -> None:
    """Write an entry; call it in the transaction of the deed. `action` is a verb: "retry", "discard", "pause"."""
    AuditEntry.objects.create(
        actor=actor.name[:150],
        user_id=actor.user_id,
        action=action,
        target=target[:200],
        detail=msgspec.to_builtins(detail),  # times and words of a list as JSON has them
    )
