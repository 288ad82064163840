"""Looking at every rule: alerts begin, fire and clear, and who is to be told is written down with it."""

import logging
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from monitoring.alerts.conditions import Finding, findings
from monitoring.alerts.models import Alert, AlertRule, Notice, Silence
from monitoring.alerts.states import Life, Step, advance

log = logging.getLogger(__name__)

HISTORY_KEPT_FOR = timedelta(days=90)
# Any number that no other advisory lock here has.
LOCK = 0xA1E7


def evaluate(now: datetime | None = None) -> int:
    """Look at every enabled rule at `now`; returns how many alerts fired or cleared.

    Only one process does so at a time. Alerts and notices commit together, so each change is told once.
    """
    now = now or timezone.now()
    changed = 0
    for rule in AlertRule.objects.filter(enabled=True).select_related("source"):
        try:
            with transaction.atomic():
                if not _is_mine():
                    return changed
                changed += _evaluate(rule, now)
        except Exception:
            log.exception("The alert rule %r could not be evaluated", rule.name)
    Alert.objects.filter(cleared_at__lt=now - HISTORY_KEPT_FOR).delete()
    Notice.objects.filter(made_at__lt=now - HISTORY_KEPT_FOR, due_at=None).delete()
    return changed


def _is_mine() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [LOCK])
        return bool(cursor.fetchone()[0])


def _evaluate(rule: AlertRule, now: datetime) -> int:
    found = {one.subject: one for one in findings(rule, now)}
    alerts = {alert.subject: alert for alert in rule.alerts.filter(cleared_at=None)}
    told: dict[str, list[Alert]] = defaultdict(list)
    for subject in sorted(found.keys() | alerts.keys()):
        alert = alerts.get(subject)
        life = Life(alert.since, alert.last_true_at, alert.fired_at) if alert else None
        after, step = advance(life, subject in found, now, rule.for_s, rule.keep_firing_s)
        alert = _carry_out(rule, alert, subject, found.get(subject), after, step, now)
        if alert is not None and step in (Step.FIRE, Step.CLEAR):
            told["firing" if step is Step.FIRE else "cleared"].append(alert)
    for what, which in told.items():
        _tell(rule, what, which, now)
    return sum(map(len, told.values()))


def _carry_out(
    rule: AlertRule,
    alert: Alert | None,
    subject: str,
    finding: Finding | None,
    after: Life | None,
    step: Step,
    now: datetime,
) -> Alert | None:
    if step is Step.FORGET and alert is not None:
        alert.delete()
        return None
    if alert is None:
        if after is None:
            return None
        alert = Alert(rule=rule, subject=subject)
    if after is not None:
        alert.since, alert.last_true_at, alert.fired_at = after.since, after.last_true_at, after.fired_at
    if step is Step.CLEAR:
        alert.cleared_at = now
    if finding is not None:
        alert.value, alert.evidence, alert.href = finding.value, finding.evidence, finding.href
    alert.save()
    return alert


def _tell(rule: AlertRule, what: str, alerts: list[Alert], now: datetime) -> None:
    """One notice a channel for all of them. Who was not told that it fires need not hear that it is over."""
    silences = list(Silence.objects.filter(Q(rule=rule) | Q(rule=None), until__gt=now))
    loud = [alert for alert in alerts if not any(one.subject in ("", alert.subject) for one in silences)]
    if not loud:
        return
    Notice.objects.bulk_create(
        Notice(rule=rule, channel=channel, what=what, alerts=[as_json(alert) for alert in loud], due_at=now)
        for channel in rule.channels.filter(enabled=True)
    )


def as_json(alert: Alert) -> dict[str, Any]:
    """What a notice says of an alert."""
    return {
        "id": alert.pk,
        "subject": alert.subject,
        "evidence": alert.evidence,
        "value": alert.value,
        "since": alert.since.isoformat(),
        "fired_at": alert.fired_at.isoformat() if alert.fired_at else None,
        "cleared_at": alert.cleared_at.isoformat() if alert.cleared_at else None,
        "href": alert.href,
    }


def firing() -> int:
    """How many alerts fire now."""
    return Alert.objects.filter(fired_at__isnull=False, cleared_at=None).count()
