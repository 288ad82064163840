"""What every response gets: the content security policy, and a way back to the login for htmx."""

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

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
