"""The registry's HTTP API: the part of Confluent's that producers' and consumers' clients need, under ``/registry``."""

import base64
from collections.abc import Callable
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from eventhub.access.models import ApiToken, Role, Scope
from eventhub.access.roles import may
from eventhub.access.throttling import WINDOW_S, TooMany, count_request
from eventhub.access.tokens import allows, find_token
from eventhub.schemas.registry import answers
from eventhub.schemas.registry.errors import RegistryError

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
Answer = Callable[..., Any]


def endpoint(**methods: Answer) -> Callable[..., HttpResponse]:
    """A view that answers each of its methods in the registry's words, or refuses in them."""

    @csrf_exempt  # who changes something here shows a token; a session may only read
    def view(request: HttpRequest, **parts: str) -> HttpResponse:
        answer = methods.get(request.method or "")
        try:
            if answer is None:
                raise RegistryError(405, "HTTP 405 Method Not Allowed")
            _admit(request, answer)
            content = answer(answers.Asked(parts, request.GET.dict(), request.body))
        except RegistryError as error:
            return _refusal(error)
        if isinstance(content, msgspec.Raw):
            return HttpResponse(bytes(content), content_type=CONTENT_TYPE)
        return HttpResponse(msgspec.json.encode(content), content_type=CONTENT_TYPE)

    view.login_required = False  # type: ignore[attr-defined]
    return view


def _refusal(error: RegistryError) -> HttpResponse:
    body = msgspec.json.encode({"error_code": error.code, "message": str(error)})
    response = HttpResponse(body, status=error.status, content_type=CONTENT_TYPE)
    if error.status == 401:
        response["WWW-Authenticate"] = 'Basic realm="EventHub"'
    if error.status == 429:
        response["Retry-After"] = str(WINDOW_S)
    return response


def _admit(request: HttpRequest, answer: Answer) -> None:
    """Raises RegistryError unless the request may do this: reading needs `read` or `ingest`, writing `configure`."""
    token = _token(request)
    changes = answer in answers.CHANGING
    if token is None:
        if not changes and may(request.user, Role.VIEWER):
            return
        raise RegistryError(
            40101,
            "Send an API token: as bearer token, or as the password of basic authentication with any user.",
        )
    try:
        count_request(f"token:{token.pk}:0")
    except TooMany as error:
        raise RegistryError(429, str(error)) from error
    scope = Scope.CONFIGURE if changes else Scope.READ
    if not allows(token, scope) and not (not changes and allows(token, Scope.INGEST)):
        raise RegistryError(40301, f"This token's scope is {token.scope!r}; this needs {scope.value!r}.")
    if changes and token.sources:
        raise RegistryError(40301, "This token is limited to some sources; schemas are for all of them.")


def _token(request: HttpRequest) -> ApiToken | None:
    kind, _, value = request.headers.get("Authorization", "").partition(" ")
    if kind.lower() == "bearer":
        return find_token(value.strip())
    if kind.lower() == "basic":
        try:
            user, _, password = base64.b64decode(value).decode().partition(":")
        except ValueError:
            return None
        return find_token(password or user)
    return None
