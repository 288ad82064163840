"""The Alerts page: what fires, what did, who was told; silences and tests."""

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from eventhub.access import audit
from eventhub.access.audit import actor_of
from eventhub.access.models import Role
from eventhub.access.roles import require
from eventhub.brokers.secrets.scrubbing import scrub
from eventhub.pages.partials import is_partial
from monitoring.alerts.models import Alert, AlertRule, Channel, Notice, Silence
from monitoring.alerts.sending import deliver
from monitoring.views.permissions import may_operate

MOST_PAST = 100
MOST_NOTICES = 30
SILENCE_FOR = {
    "1h": timedelta(hours=1),
    "8h": timedelta(hours=8),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
}


@require_safe
def alerts(request: HttpRequest) -> HttpResponse:
    """The page; as a partial, everything on it that changes."""
    template = "monitoring/_alerts.html" if is_partial(request) else "monitoring/alerts.html"
    return render(request, template, _all(request))


@require_POST
def silence_alert(request: HttpRequest, pk: int) -> HttpResponse:
    """Tell nobody of this alert for a while."""
    _check(request)
    alert = get_object_or_404(Alert, pk=pk)
    wanted = request.POST.get("for", "1h")
    Silence.objects.create(
        rule=alert.rule,
        subject=alert.subject,
        until=timezone.now() + SILENCE_FOR.get(wanted, SILENCE_FOR["1h"]),
        made_by=request.user.get_username(),
    )
    audit.record(actor_of(request), "silence", f"alert {alert.rule.name} {alert.subject}", length=wanted)
    messages.success(request, f"{alert.rule.name}: silent for {wanted}.")
    return redirect("alerts")


@require_POST
def end_silence(request: HttpRequest, pk: int) -> HttpResponse:
    """Let a silence end now."""
    _check(request)
    silence = get_object_or_404(Silence, pk=pk)
    audit.record(actor_of(request), "unsilence", f"alert {silence}")
    Silence.objects.filter(pk=pk).update(until=timezone.now())
    messages.success(request, "The silence is over.")
    return redirect("alerts")


@require_POST
def test_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a message over a channel now, and say what came of it."""
    _check(request)
    channel = get_object_or_404(Channel, pk=pk)
    notice = Notice(channel=channel, what="test")
    try:
        deliver(notice)
    except Exception as error:  # noqa: BLE001 - the person is told
        messages.error(request, f"{channel.name}: not sent: {scrub(str(error))}")
    else:
        messages.success(request, f"{channel.name}: a test message is sent.")
    audit.record(actor_of(request), "test", f"alert channel {channel.name}")
    return redirect("alerts")


def _check(request: HttpRequest) -> None:
    require(request, Role.OPERATOR)


def _all(request: HttpRequest) -> dict[str, Any]:
    now = timezone.now()
    open_ones = Alert.objects.filter(cleared_at=None).select_related("rule").order_by("-since")
    return {
        "firing": [alert for alert in open_ones if alert.fired_at],
        "pending": [alert for alert in open_ones if not alert.fired_at],
        "past": Alert.objects.filter(cleared_at__isnull=False)
        .select_related("rule")
        .order_by("-cleared_at")[:MOST_PAST],
        "rules": AlertRule.objects.count(),
        "channels": Channel.objects.all(),
        "silences": Silence.objects.filter(until__gt=now).select_related("rule").order_by("until"),
        "notices": Notice.objects.select_related("rule", "channel")[:MOST_NOTICES],
        "lengths": list(SILENCE_FOR),
        "may_operate": may_operate(request),
        "may_configure": request.user.has_perm("monitoring.change_alertrule"),
    }
