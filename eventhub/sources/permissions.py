"""Who may add and change sources: editors, and scripts with a token for it."""

from django.http import HttpRequest

from eventhub.access import roles
from eventhub.access.models import Role


def require(request: HttpRequest, source: str = "", role: Role = Role.EDITOR) -> None:
    """Raises PermissionDenied, which says what to ask for. No name: about new ones."""
    roles.require(request, role, source=source)


def require_operator(request: HttpRequest, source: str) -> None:
    """As `require`, for what changes nothing: testing a connection."""
    require(request, source, Role.OPERATOR)
