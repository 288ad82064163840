"""What is true now: each condition looks at rollups, watched groups, dead letters or processes, and says its evidence.

A finding is about one subject; a rule may have several at once (every group that is in trouble).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from urllib.parse import urlencode

import msgspec
from django.db.models import Sum
from django.urls import reverse

from dlq.models import GroupCount
from eventhub.pages.formats import duration, number, percent, rate, size
from eventhub.traces.processes.figures import stuck_processes
from monitoring.alerts.models import AlertRule, Condition, Metric
from monitoring.lag.groups.rules import Status
from monitoring.lag.models import WatchedGroup
from monitoring.rollups import reading
from monitoring.rollups.histogram import percentile
from monitoring.storage import growing
from monitoring.storage.forecast import in_days

# Seconds that are younger than this may still be written.
SETTLED = timedelta(seconds=1)
LOOKED_AT_WITHIN = timedelta(seconds=60)
TROUBLE = [status for status in Status if status.level == "broken"]
# Fewer deliveries than these use up no budget worth waking somebody for.
FEWEST_DELIVERIES = 10
# Enough to order a disk, or to agree on a retention.
DISK_DAYS = 14.0


class Finding(msgspec.Struct, frozen=True):
    """Something is true: of what, how much, in words, and where it is seen."""

    subject: str
    value: float | None
    evidence: str
    href: str


def findings(rule: AlertRule, now: datetime) -> list[Finding]:
    """What `rule` finds to be true at `now`."""
    return CONDITIONS[Condition(rule.condition)](rule, now)


def _threshold(rule: AlertRule, now: datetime) -> list[Finding]:
    value = figure(rule, now - SETTLED)
    if value is None or not _is_out(rule, value):
        return []
    limit = (
        f"above {in_words(rule, rule.above)}"
        if _is_above(rule, value)
        else f"below {in_words(rule, rule.below)}"
    )
    return [
        _about(
            rule,
            now,
            value,
            f"{_named(rule)} {in_words(rule, value)} over {duration(rule.window_s)}, {limit}",
        )
    ]


def _change(rule: AlertRule, now: datetime) -> list[Finding]:
    value, before = (
        figure(rule, now - SETTLED),
        figure(rule, now - SETTLED - timedelta(seconds=rule.compare_s)),
    )
    if value is None or not before or not _is_out(rule, value / before):
        return []
    evidence = (
        f"{_named(rule)} {in_words(rule, value)} over {duration(rule.window_s)}, {value / before:.2g} × that of "
        f"{duration(rule.compare_s)} before ({in_words(rule, before)})"
    )
    return [_about(rule, now, value, evidence)]


def _absence(rule: AlertRule, now: datetime) -> list[Finding]:
    found = reading.chosen_totals(
        now - timedelta(seconds=rule.window_s), now, event_type=rule.event_type, origin_id=rule.source_id
    )
    if found.received:
        return []
    return [_about(rule, now, 0.0, f"no {rule.event_type or 'event'} came for {duration(rule.window_s)}")]


def _lag(rule: AlertRule, now: datetime) -> list[Finding]:
    groups = WatchedGroup.objects.filter(looked_at__gt=now - LOOKED_AT_WITHIN, name__icontains=rule.group)
    groups = (
        groups.filter(seconds__gt=rule.above) if rule.above is not None else groups.filter(status__in=TROUBLE)
    )
    return [
        Finding(
            subject=group.name,
            value=group.seconds,
            evidence=f"{group.name} is {group.status}: {number(group.messages)} messages wait"
            + (f", {duration(group.seconds)} behind" if group.seconds else ""),
            href=reverse("lag-group", args=[group.pk]),
        )
        for group in groups.defer("parts")
    ]


def _dead_letters(rule: AlertRule, now: datetime) -> list[Finding]:
    """Groups to which more letters came in the hours of the window than allowed; counts are kept by the hour."""
    since = (now - timedelta(seconds=rule.window_s)).replace(minute=0, second=0, microsecond=0)
    grown = (
        GroupCount.objects.filter(hour__gte=since)
        .values("group_id", "group__title")
        .annotate(came=Sum("failures"))
        .filter(came__gt=rule.above or 0)
    )
    if rule.source_id:
        grown = grown.filter(group__source_id=rule.source_id)
    return [
        Finding(
            subject=one["group__title"][:200],
            value=one["came"],
            evidence=f"{number(one['came'])} more dead letters since {since:%H:%M} UTC: {one['group__title'][:200]}",
            href=f"{reverse('dead-letters')}?group={one['group_id']}",
        )
        for one in grown
    ]


def _budget(rule: AlertRule, now: datetime) -> list[Finding]:
    """The error budget burns `above` times as fast as the objective allows, over the window and a twelfth of it.

    Two windows, so that it neither fires for what is long over nor clears late (the Site Reliability Workbook's way).
    """
    end, budget = now - SETTLED, max(1e-9, 1 - rule.objective)
    ratios = []
    for seconds in (rule.window_s, max(5, rule.window_s // 12)):
        found = reading.chosen_totals(
            end - timedelta(seconds=seconds), end, event_type=rule.event_type, origin_id=rule.source_id
        )
        if found.error_ratio is None or found.handled + found.failed < FEWEST_DELIVERIES:
            return []
        ratios.append(found.error_ratio)
    burn = min(ratios) / budget
    if burn <= (rule.above or 1.0):
        return []
    evidence = (
        f"{percent(ratios[0])} of deliveries failed over {duration(rule.window_s)}: the budget of {percent(budget)} "
        f"burns {burn:.1f} × too fast"
    )
    return [_about(rule, now, burn, evidence)]


def _stuck(rule: AlertRule, now: datetime) -> list[Finding]:
    """Processes of which more instances than allowed do not go on, each with those that stuck last."""
    return [
        Finding(
            subject=one.process,
            value=one.count,
            evidence=f"{one.process}: {number(one.count)} stuck; " + "; ".join(one.newest),
            href=f"{reverse('process', args=[one.process_id])}?state=stuck",
        )
        for one in stuck_processes(rule.group)
        if one.count > (rule.above or 0)
    ]


def _disk(rule: AlertRule, now: datetime) -> list[Finding]:
    """The disk of the database is full within `below` days, as things go."""
    standing = growing.lately(now)
    days = standing.forecast.full_in_days
    if days is None or days >= (rule.below if rule.below is not None else DISK_DAYS):
        return []
    evidence = (
        f"{in_days(standing.forecast)}: {size(standing.room.free_bytes)} are free, "
        f"{size(standing.forecast.per_day_bytes)} are added a day"
    )
    return [Finding("", days, evidence, reverse("storage"))]


CONDITIONS: dict[Condition, Callable[[AlertRule, datetime], list[Finding]]] = {
    Condition.THRESHOLD: _threshold,
    Condition.CHANGE: _change,
    Condition.ABSENCE: _absence,
    Condition.LAG: _lag,
    Condition.DEAD_LETTERS: _dead_letters,
    Condition.BUDGET: _budget,
    Condition.STUCK: _stuck,
    Condition.DISK: _disk,
}


def figure(rule: AlertRule, end: datetime) -> float | None:
    """The rule's metric over the window before `end`; None where nothing was measured."""
    start = end - timedelta(seconds=rule.window_s)
    chosen = {"event_type": rule.event_type, "origin_id": rule.source_id}
    if rule.metric == Metric.PROCESSING_P95:
        return percentile(*reading.chosen_histogram("processing", start, end, **chosen), 0.95)  # type: ignore[arg-type]
    found = reading.chosen_totals(start, end, **chosen)  # type: ignore[arg-type]
    match rule.metric:
        case Metric.ERROR_RATIO:
            return found.error_ratio
        case Metric.DEAD_LETTERS:
            return float(found.dead_letters)
        case Metric.DUPLICATES:
            return float(found.duplicates)
    return found.received / rule.window_s


def in_words(rule: AlertRule, value: float | None) -> str:
    """A value of the rule's metric, as people say it."""
    match rule.metric:
        case Metric.ERROR_RATIO:
            return percent(value)
        case Metric.PROCESSING_P95:
            return duration(value)
        case Metric.RATE:
            return rate(value)
    return number(value)


def _is_above(rule: AlertRule, value: float) -> bool:
    return rule.above is not None and value > rule.above


def _is_out(rule: AlertRule, value: float) -> bool:
    return _is_above(rule, value) or (rule.below is not None and value < rule.below)


def _named(rule: AlertRule) -> str:
    subject = _subject(rule)
    names = {
        Metric.RATE: "events came at",
        Metric.ERROR_RATIO: "failed deliveries were",
        Metric.PROCESSING_P95: "processing took (p95)",
        Metric.DEAD_LETTERS: "dead letters were",
        Metric.DUPLICATES: "duplicates were",
    }
    words = names.get(Metric(rule.metric or Metric.RATE), rule.metric)
    return f"{subject}: {words}" if subject else words


def _subject(rule: AlertRule) -> str:
    return " of ".join(part for part in (rule.event_type, rule.source.name if rule.source else "") if part)


def _about(rule: AlertRule, now: datetime, value: float, evidence: str) -> Finding:
    """A finding that is seen among the traces of its window."""
    seen = {"from": int((now - timedelta(seconds=rule.window_s)).timestamp()), "to": int(now.timestamp()) + 1}
    if rule.event_type:
        seen |= {"type": rule.event_type}  # type: ignore[dict-item]
    page = "dead-letters" if rule.metric == Metric.DEAD_LETTERS else "traces"
    return Finding(_subject(rule), value, evidence, f"{reverse(page)}?{urlencode(seen)}")
