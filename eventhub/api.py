"""The REST API: one NinjaAPI, one router a package, OpenAPI at ``/api/openapi.json``."""

from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.core.exceptions import PermissionDenied
from django.db import DataError, OperationalError
from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from dlq.api import router as dead_letters_router
from dlq.api_edits import router as edits_router
from dlq.api_finding import router as letters_router
from dlq.api_groups import router as groups_router
from dlq.jobs.api import router as retry_jobs_router
from eventhub.access.api import router as audit_router
from eventhub.access.throttling import TooMany
from eventhub.catalogue.api import router as upcasts_router
from eventhub.handlers.api import router as handlers_router
from eventhub.ingest.api import router as events_router
from eventhub.pages.cursor import BadCursor
from eventhub.pages.middleware import slow_words, was_given_up
from eventhub.sagas.api import router as sagas_router
from eventhub.sources.api import router as monitoring_router
from eventhub.sourcing.api import router as streams_router
from eventhub.sourcing.api_replays import router as replays_router
from eventhub.traces.api import router as traces_router
from eventhub.traces.api_flow import router as flow_router
from monitoring.review.api import router as review_router

api = NinjaAPI(
    title="EventHub",
    version="1",
    description="Events, traces, dead letters and metrics. Lists are paged by `cursor`: pass a page's `next_cursor` "
    "to get the one after it. Tokens: `python manage.py token create NAME --scope ingest|read|operate|configure`.",
    docs_url=None,
)


@api.exception_handler(BadCursor)
def refuse_cursor(request: HttpRequest, error: BadCursor) -> HttpResponse:
    """A cursor from elsewhere is the caller's mistake."""
    return api.create_response(request, {"detail": str(error)}, status=400)


@api.exception_handler(TooMany)
def refuse_more(request: HttpRequest, error: TooMany) -> HttpResponse:
    """Too many requests in a minute."""
    response = api.create_response(request, {"detail": str(error)}, status=429)
    response["Retry-After"] = str(error.wait_s)
    return response


@api.exception_handler(DataError)
def refuse_value(request: HttpRequest, error: DataError) -> HttpResponse:
    """A text with a NUL character, a number beyond all bounds: no such thing can be stored, or found."""
    detail = (
        "A value cannot be kept in PostgreSQL: a text with a NUL character, or a number beyond its bounds."
    )
    return api.create_response(request, {"detail": detail}, status=422)


@api.exception_handler(OperationalError)
def refuse_slow(request: HttpRequest, error: OperationalError) -> HttpResponse:
    """A query that took too long was given up; whatever else the database has is not the caller's."""
    if not was_given_up(error):
        raise error
    response = api.create_response(request, {"detail": slow_words()}, status=503)
    response["Retry-After"] = "30"
    return response


@api.exception_handler(PermissionDenied)
def refuse(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    """What whoever asks may not do."""
    return api.create_response(request, {"detail": str(error)}, status=403)


api.add_router("", events_router)
api.add_router("", traces_router)
api.add_router("", flow_router)
api.add_router("", letters_router)
api.add_router("", dead_letters_router)
api.add_router("", handlers_router)
api.add_router("", streams_router)
api.add_router("", replays_router)
api.add_router("", sagas_router)
api.add_router("", groups_router)
api.add_router("", edits_router)
api.add_router("", retry_jobs_router)
api.add_router("", audit_router)
api.add_router("", monitoring_router)
api.add_router("", review_router)
api.add_router("", upcasts_router)


def urls() -> tuple[list[Any], str, str]:
    """The API's addresses. They answer 401 by themselves, so a script is never sent to the login page."""
    patterns, app_name, namespace = api.urls
    for pattern in patterns:
        if pattern.callback is not None:
            pattern.callback = login_not_required(pattern.callback)
    return patterns, app_name, namespace
