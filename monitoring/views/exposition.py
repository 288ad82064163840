"""``/metrics`` for Prometheus: with a token of the scope `read`, or for who is logged in."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from eventhub.access.models import Role, Scope
from eventhub.access.roles import may
from eventhub.access.tokens import allows, find_token
from monitoring.exposition import OPENMETRICS, PROMETHEUS, families, render

HOW = "Give a token: Authorization: Bearer … (python manage.py token create prometheus --scope read).\n"


@login_not_required
@never_cache
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Everything there is to scrape, in the format that is asked for."""
    if not _may_read(request):
        return HttpResponse(
            HOW,
            status=401,
            content_type="text/plain",
            headers={"WWW-Authenticate": 'Bearer realm="EventHub"'},
        )
    openmetrics = "application/openmetrics-text" in request.headers.get("Accept", "")
    return HttpResponse(
        render(families(), openmetrics=openmetrics), content_type=OPENMETRICS if openmetrics else PROMETHEUS
    )


def _may_read(request: HttpRequest) -> bool:
    if may(request.user, Role.VIEWER):
        return True
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    token = find_token(text.strip()) if kind.lower() == "bearer" else None
    return token is not None and allows(token, Scope.READ)
