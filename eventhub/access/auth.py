"""Authentication of API requests: a bearer token with the right scope, or the session of a logged-in person."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import APIKeyCookie, HttpBearer

from eventhub.access.models import ApiToken, Role, Scope
from eventhub.access.roles import OF_SCOPE, reach, why_not
from eventhub.access.throttling import count_request
from eventhub.access.tokens import allows, find_token


class BearerToken(HttpBearer):
    """``Authorization: Bearer evh_…`` with a token that allows `scope`; 403 when it is for something else."""

    def __init__(self, scope: Scope, *, divided: bool = False) -> None:
        super().__init__()
        self.scope = scope
        self.divided = divided

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        """The token, or None for 401."""
        found = find_token(token)
        if found and not allows(found, self.scope):
            raise HttpError(
                403,
                f"This token's scope is {found.scope!r}; this needs {self.scope.value!r}. "
                f"Create one with: python manage.py token create NAME --scope {self.scope.value}",
            )
        if found and found.sources and self.scope != Scope.READ and not self.divided:
            raise HttpError(
                403,
                f"This token is limited to the sources {', '.join(found.sources)}; this is about all of them.",
            )
        # A service sends as its events come, many or one at a time: it has a limit of its own.
        if found:
            limit = settings.INGEST_RATE_LIMIT if self.scope == Scope.INGEST else None
            count_request(f"token:{found.pk}:{self.scope == Scope.INGEST:d}", limit)
        return found


class LoggedIn(APIKeyCookie):
    """The session cookie of a person whose role allows `scope` (with Django's CSRF check on what changes something).

    Sending events is for whoever may change sources.
    """

    def __init__(self, scope: Scope, *, divided: bool = False) -> None:
        super().__init__(csrf=True)
        self.param_name = "sessionid"
        self.divided = divided
        self.role = OF_SCOPE.get(scope, Role.EDITOR)

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        """The user, or None for 401; 403 for a role that does not go so far."""
        if not request.user.is_authenticated:
            return None
        found = reach(request.user, self.role)
        if not (found if self.divided else found.everywhere):
            raise HttpError(403, why_not(self.role, found))
        count_request(f"user:{request.user.pk}")
        return request.user


def requires(scope: Scope, *, divided: bool = False) -> list[Any]:
    """What to give as ``auth=`` to an operation that needs `scope`.

    With `divided`, those get in, too, whose right is limited to some sources or teams: the operation itself asks
    `eventhub.access.roles.require` about the thing at hand.
    """
    return [BearerToken(scope, divided=divided), LoggedIn(scope, divided=divided)]
