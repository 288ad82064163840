"""``POST /api/events``, on the router that answers ``GET /api/events`` (one path needs one router)."""

from typing import Any

import msgspec
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from ninja import Schema, Status

from eventhub.access.auth import requires
from eventhub.access.models import ApiToken, Scope
from eventhub.events.api import router
from eventhub.ingest import http

__all__ = ["router"]


class EventResult(Schema):
    """What became of one event of the request."""

    index: int
    status: str
    event_id: str | None = None
    error: str | None = None
    reason: str | None = None


class Accepted(Schema):
    """What became of the request's events, in their order."""

    accepted: int
    rejected: int
    results: list[EventResult]


class Problem(Schema):
    """Why the request was refused, and what to do."""

    detail: str


BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"description": "A native event, or an array of them."}},
            "application/cloudevents+json": {"schema": {"description": "A CloudEvent 1.0."}},
            "application/cloudevents-batch+json": {"schema": {"description": "An array of CloudEvents 1.0."}},
        },
    }
}


@router.post(
    "/events",
    auth=requires(Scope.INGEST, divided=True),
    response={202: Accepted, (400, 422): Accepted, (403, 404, 409, 413, 415, 429, 503): Problem},
    summary="Send events",
    openapi_extra=BODY,
)
def post_events(request: HttpRequest, response: HttpResponse, source: str | None = None) -> Any:
    """Store one event or an array of them: native, or CloudEvents in structured, batch or binary mode.

    The answer comes after the commit: 202 with a result for each event when any was accepted; 400 when nothing
    could be read, 422 when it was read and is not allowed. Sending the same event again is harmless.
    """
    token = getattr(request, "auth", None)
    if isinstance(token, ApiToken) and token.sources and (source or http.DEFAULT_SOURCE) not in token.sources:
        detail = (
            f"This token may send to the sources {', '.join(token.sources)} only: ?source={token.sources[0]}."
        )
        return Status(403, {"detail": detail})
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        results = http.accept(request.body, headers, source)
    except RequestDataTooBig:
        detail = "The body is too large. Send fewer events at once (HTTP_MAX_BODY_BYTES is the limit)."
        return Status(413, {"detail": detail})
    except http.Refused as refused:
        if refused.status in (429, 503):
            response["Retry-After"] = str(refused.wait_s)
        return Status(refused.status, {"detail": refused.detail})
    rejected = sum(result.status == "rejected" for result in results)
    answer = {"accepted": len(results) - rejected, "rejected": rejected, "results": results}
    # Encoded here: through the response's model, answering for 1,000 events took as long as reading them.
    return HttpResponse(
        msgspec.json.encode(answer), status=http.http_status(results), content_type="application/json"
    )
