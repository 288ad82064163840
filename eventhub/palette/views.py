"""The palette's searches, asked while somebody types."""

import msgspec
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from eventhub.palette.finding import find


@never_cache
@require_safe
def palette(request: HttpRequest) -> HttpResponse:
    """The hits for `q`, as JSON."""
    hits = find(request, request.GET.get("q", ""))
    return HttpResponse(msgspec.json.encode(hits), content_type="application/json")
