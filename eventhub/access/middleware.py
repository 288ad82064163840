"""Every request meets the table of `eventhub.access.rules` before it meets its view."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied
from django.db import DataError
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from eventhub.access import seen
from eventhub.access.roles import may, reach, why_not
from eventhub.access.rules import SAFE, UNLISTED, Door, rule_for

Respond = Callable[[HttpRequest], HttpResponse]


class Roles:
    """Middleware: 403 in words for who lacks the role; as plain text where a page shows it in place."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on; what was seen of personal data is noted before the answer leaves."""
        response = self._respond(request)
        if response.status_code < 400:
            seen.write(request)
        return response

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """Let through who may, or refuse."""
        if request.resolver_match is None or not request.user.is_authenticated:
            return None  # what needs a login has asked for it
        rule = rule_for(request.resolver_match)
        if isinstance(rule, Door):
            return None
        if rule is None:
            rule = UNLISTED
        role = rule.role(request.method or "")
        if role is None:
            return HttpResponseNotAllowed(SAFE)
        allowed = bool(reach(request, role)) if rule.divided else may(request, role)
        return None if allowed else self._refusal(request, why_not(role, reach(request, role)))

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """What a view refuses is said in place, too."""
        if isinstance(error, PermissionDenied) and request.headers.get("HX-Request") == "true":
            return HttpResponse(str(error) or "Not allowed.", status=403, content_type="text/plain")
        if isinstance(error, DataError):  # no such thing can be stored, or found
            raise BadRequest("A value holds a NUL character, or is beyond all bounds.") from error
        return None

    @staticmethod
    def _refusal(request: HttpRequest, words: str) -> HttpResponse:
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(words, status=403, content_type="text/plain")
        raise PermissionDenied(words)
