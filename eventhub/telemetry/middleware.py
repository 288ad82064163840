"""Each HTTP request has an id, which its log lines and its answer bear; and a span, in the trace of its caller."""

import logging
import time
from collections.abc import Callable

from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from eventhub.telemetry import context
from eventhub.telemetry.operations import is_told, operation

Respond = Callable[[HttpRequest], HttpResponse]
REQUEST_ID = "X-Request-ID"
log = logging.getLogger("eventhub.requests")


def named(respond: Respond) -> Respond:
    """Middleware, the outermost: the id that the caller or a proxy gave the request, or a new one."""

    def middleware(request: HttpRequest) -> HttpResponse:
        began = time.perf_counter()
        with context.bound(request_id=context.request_id(request.headers.get(REQUEST_ID))):
            response = respond(request)
            response[REQUEST_ID] = context.current()["request_id"]
            if log.isEnabledFor(logging.INFO):
                # The pattern, not the address: that may hold what is nobody's business.
                route = request.resolver_match.route if request.resolver_match else "?"
                took_ms = (time.perf_counter() - began) * 1000
                log.info("%s /%s %d %.0f ms", request.method, route, response.status_code, took_ms)
        return response

    return middleware


def traced(respond: Respond) -> Respond:
    """Middleware; it is not there at all where nobody listens."""
    if not is_told():
        raise MiddlewareNotUsed

    def middleware(request: HttpRequest) -> HttpResponse:
        caller = {name.lower(): value for name, value in request.headers.items()}
        with operation("http.request", caller=caller, http_request_method=request.method or "") as told:
            response = respond(request)
            # The pattern, not the address: that may hold what is nobody's business.
            route = request.resolver_match.route if request.resolver_match else ""
            told.rename(f"{request.method} /{route}")
            told.set(http_route=f"/{route}", http_response_status__code=response.status_code)
            if response.status_code >= 500:
                told.fail(str(response.status_code))
        return response

    return middleware
