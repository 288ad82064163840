"""The REST API: one NinjaAPI, one router a package, OpenAPI at ``/api/openapi.json``."""

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from eventhub.pages.cursor import BadCursor

api = NinjaAPI(
    title="EventHub",
    version="1",
    description="Events, traces, dead letters and metrics. Lists are paged by `cursor`: pass a page's `next_cursor` "
    "to get the one after it. Tokens: `python manage.py token create NAME --scope ingest|read|operate`.",
    docs_url=None,
)


@api.exception_handler(BadCursor)
def refuse_cursor(request: HttpRequest, error: BadCursor) -> HttpResponse:
    """A cursor from elsewhere is the caller's mistake."""
    return api.create_response(request, {"detail": str(error)}, status=400)
