"""Whether the web process lives. Whether the whole is ready, `monitoring.readiness` knows."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@login_not_required
@never_cache
@require_safe
async def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as this process answers; asks nobody else, so that a slow database restarts no web process."""
    return HttpResponse("ok\n", content_type="text/plain")
