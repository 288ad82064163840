"""Authentication of API requests: a bearer token with the right scope, or the session of a logged-in person."""

from typing import Any

from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import APIKeyCookie, HttpBearer

from eventhub.access.models import ApiToken, Scope
from eventhub.access.tokens import allows, find_token


class BearerToken(HttpBearer):
    """``Authorization: Bearer evh_…`` with a token that allows `scope`; 403 when it is for something else."""

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope

    def authenticate(self, request: HttpRequest, token: str) -> ApiToken | None:
        """The token, or None for 401."""
        found = find_token(token)
        if found and not allows(found, self.scope):
            raise HttpError(
                403,
                f"This token's scope is {found.scope!r}; this needs {self.scope.value!r}. "
                f"Create one with: python manage.py token create NAME --scope {self.scope.value}",
            )
        return found


class LoggedIn(APIKeyCookie):
    """The session cookie of a logged-in person (with Django's CSRF check on what changes something)."""

    def __init__(self) -> None:
        super().__init__(csrf=True)
        self.param_name = "sessionid"

    def authenticate(self, request: HttpRequest, key: str | None) -> Any:
        """The user, or None for 401."""
        return request.user if request.user.is_authenticated else None


def requires(scope: Scope) -> list[Any]:
    """What to give as ``auth=`` to a router or an operation that needs `scope`."""
    return [BearerToken(scope), LoggedIn()]
