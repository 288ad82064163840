"""Who may add and change sources: staff with Django's permission for it, and scripts with a token for it."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from eventhub.access.models import ApiToken


def may(request: HttpRequest, what: str) -> bool:
    """Whether whoever asks may `what` ("add" or "change") sources."""
    if isinstance(getattr(request, "auth", None), ApiToken):
        return True  # its scope was looked at when it was let in
    return request.user.is_staff and request.user.has_perm(f"brokers.{what}_source")


def require(request: HttpRequest, what: str) -> None:
    """Raises PermissionDenied, which says what to ask for."""
    if not may(request, what):
        raise PermissionDenied(
            f"Your account may not {what} sources. Ask an administrator for the permission “Can {what} source”."
        )
