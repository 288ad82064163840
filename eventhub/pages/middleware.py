"""What every response gets: the content security policy, a way back to the login, and words for what took too long."""

import logging
from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render, resolve_url
from psycopg import errors

log = logging.getLogger(__name__)
Respond = Callable[[HttpRequest], HttpResponse]

# Everything comes from this server; nothing is inline; nobody may frame a page. Tabler draws small pictures as
# data: images. `connect-src 'self'` covers the WebSocket of the same host.
POLICY = "; ".join(
    (
        "default-src 'self'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


def content_security_policy(respond: Respond) -> Respond:
    """Middleware: a strict Content-Security-Policy on every response that does not set its own."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = respond(request)
        if settings.DEBUG and response.status_code in (404, 500):
            return response  # Django's debugging pages style themselves inline
        response.headers.setdefault("Content-Security-Policy", POLICY)
        return response

    return middleware


class SlowQuery:
    """Middleware: a query that was given up (WEB_STATEMENT_TIMEOUT_S) is told in words, with what to do: 503."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Pass on."""
        return self._respond(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """The page, or a line of text where a part of a page asked."""
        if not was_given_up(error):
            return None
        log.warning("%s took longer than the limit of a query and was given up", request.path)
        words = slow_words()
        if request.headers.get("HX-Request") == "true":
            return HttpResponse(words, status=503, content_type="text/plain; charset=utf-8")
        return render(request, "503.html", {"words": words}, status=503)


def was_given_up(error: BaseException) -> bool:
    """Whether PostgreSQL ended the statement because its time was up."""
    return isinstance(error, OperationalError) and isinstance(error.__cause__, errors.QueryCanceled)


def slow_words() -> str:
    """What to do about it."""
    return (
        f"The database was asked for longer than {settings.WEB_STATEMENT_TIMEOUT_S} s and the question was given up. "
        "Narrow it: a shorter time, a type or a source, a whole id instead of a part. If everything is slow, an "
        "administrator finds what runs in pg_stat_activity."
    )


def login_for_htmx(respond: Respond) -> Respond:
    """Middleware: an expired session sends the whole page to the login, not the login into a part of the page."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = respond(request)
        if not request.headers.get("HX-Request") or response.status_code != 302:
            return response
        login = resolve_url(settings.LOGIN_URL)
        if urlsplit(response.headers.get("Location", "")).path != login:
            return response
        page = urlsplit(request.headers.get("HX-Current-URL", "/"))
        back = f"{page.path}?{page.query}" if page.query else page.path
        return HttpResponse(status=204, headers={"HX-Redirect": f"{login}?{urlencode({'next': back})}"})

    return middleware
