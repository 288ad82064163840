"""The wall: everything that matters on one screen that nobody touches, turning from one view to the next."""

from typing import Any

import msgspec
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from eventhub.access import audit
from eventhub.access.audit import actor_of
from eventhub.access.models import Role
from eventhub.access.roles import may
from monitoring.alerts.models import Alert
from monitoring.lag.groups import reading
from monitoring.live import latest
from monitoring.sharing import LENGTHS, ends_at, make_key

MOST_GROUPS = 12
MOST_ALERTS = 8
ENDED = "This link has ended, or is not whole. Ask whoever gave it to you for a new one.\n"


@require_safe
def live_snapshot(request: HttpRequest) -> HttpResponse:
    """The newest snapshot, for a page that cannot open a WebSocket."""
    return HttpResponse(
        latest.newest(), content_type="application/json", headers={"Cache-Control": "no-store"}
    )


@login_not_required
@never_cache
@require_safe
def wall(request: HttpRequest) -> HttpResponse:
    """The page, for who is logged in or has a link."""
    if not _may_see(request):
        return HttpResponse(ENDED, status=403, content_type="text/plain")
    key = request.GET.get("key", "")
    data = reverse("wall-data") + (f"?key={key}" if key else "")
    return render(
        request, "monitoring/wall.html", {"data_url": data, "ends_at": ends_at(key) if key else None}
    )


@login_not_required
@never_cache
@require_safe
def wall_data(request: HttpRequest) -> HttpResponse:
    """What the wall shows, as JSON; asked for every two seconds."""
    if not _may_see(request):
        return HttpResponse(ENDED, status=403, content_type="text/plain")
    firing = Alert.objects.filter(fired_at__isnull=False, cleared_at=None).select_related("rule")
    told: dict[str, Any] = {
        "snapshot": msgspec.Raw(latest.newest().encode()),
        "groups": [
            {
                "name": one.name, "status": one.status, "level": one.level, "messages": one.messages,
                "seconds": one.seconds, "outlook": one.outlook,
            }
            for one in reading.groups()[:MOST_GROUPS]
        ],
        "alerts": [
            {"rule": alert.rule.name, "evidence": alert.evidence, "since": alert.since}
            for alert in firing[:MOST_ALERTS]
        ],
    }  # fmt: skip
    return HttpResponse(msgspec.json.encode(told), content_type="application/json")


@require_POST
def share_wall(request: HttpRequest) -> HttpResponse:
    """A link to the wall for somebody without a login; says it once."""
    length = request.POST.get("for", "1d")
    key = make_key(LENGTHS.get(length, LENGTHS["1d"]), request.user.get_username())
    address = request.build_absolute_uri(f"{reverse('wall')}?key={key}")
    audit.record(actor_of(request), "share", "wall", length=length)
    return render(request, "monitoring/_wall_link.html", {"address": address, "ends_at": ends_at(key)})


def _may_see(request: HttpRequest) -> bool:
    return may(request.user, Role.VIEWER) or ends_at(request.GET.get("key", "")) is not None
