"""A span of each HTTP request, in the trace of its caller."""

from collections.abc import Callable

from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from eventhub.telemetry.operations import is_told, operation

Respond = Callable[[HttpRequest], HttpResponse]


def traced(respond: Respond) -> Respond:
    """Middleware, the outermost; it is not there at all where nobody listens."""
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
