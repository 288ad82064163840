"""What the pages, the API and the command show of the review."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
from django.db.models import QuerySet

from monitoring.review.models import Finding, FindingDay, ReviewProgress, Score, State
from monitoring.review.rules import RULES
from monitoring.review.scoring import WHOLE

WEEKS = 8
SHOWN = (State.OPEN, State.ACCEPTED)


class Standing(msgspec.Struct, frozen=True):
    """The score of a service or of the whole, and how it went."""

    service: str
    score: int
    findings: int
    # At the end of each of the last weeks, the oldest first; None: nothing was known.
    weeks: Sequence[int | None]

    @property
    def level(self) -> str:
        """The colour of the product's states."""
        return "ok" if self.score >= 90 else "busy" if self.score >= 70 else "broken"

    @property
    def change(self) -> int | None:
        """Against a week ago."""
        before = self.weeks[-2] if len(self.weeks) > 1 else None
        return None if before is None else self.score - before

    @property
    def spark(self) -> str:
        """The weeks as a chart reads them."""
        return ",".join("" if week is None else str(week) for week in self.weeks)


def findings(
    state: str = "", service: str | None = None, rule: str = "", severity: int | None = None
) -> QuerySet[Finding]:
    """The findings that fit; without a state those that are open or accepted. The worst first."""
    found = Finding.objects.filter(state__in=[state] if state else SHOWN)
    if service is not None:
        found = found.filter(service=service)
    if rule:
        found = found.filter(rule=rule)
    if severity is not None:
        found = found.filter(severity__gte=severity)
    return found.order_by("-severity", "-n", "rule", "service", "subject")


def standings(today: date | None = None) -> list[Standing]:
    """The whole first, then the services from the worst on."""
    today = today or datetime.now(UTC).date()
    by_service: dict[str, list[Score]] = defaultdict(list)
    for row in Score.objects.filter(day__gt=today - timedelta(weeks=WEEKS)).order_by("day"):
        by_service[row.service].append(row)
    found = [
        Standing(service, rows[-1].score, rows[-1].findings, _weeks(rows, today))
        for service, rows in by_service.items()
        if rows[-1].day > today - timedelta(days=7)
    ]
    return sorted(found, key=lambda one: (one.service != WHOLE, one.score, one.service))


def _weeks(rows: Sequence[Score], today: date) -> list[int | None]:
    """The last score of each week that ends today, a week ago, …; of a week without one the week before it counts."""
    made: list[int | None] = []
    last: int | None = None
    for back in range(WEEKS - 1, -1, -1):
        end = today - timedelta(weeks=back)
        last = next((row.score for row in reversed(rows) if row.day <= end), last)
        made.append(last)
    return made


class Trend(msgspec.Struct, frozen=True):
    """How often a finding was found at the end of a week."""

    week: date
    n: int | None


def trend(finding: Finding, today: date | None = None) -> list[Trend]:
    """Week by week, the oldest first; None: not looked at yet."""
    today = today or datetime.now(UTC).date()
    days = dict(
        FindingDay.objects.filter(finding=finding, day__gt=today - timedelta(weeks=WEEKS)).values_list(
            "day", "n"
        )
    )
    made = []
    for back in range(WEEKS - 1, -1, -1):
        end = today - timedelta(weeks=back)
        week = [days[day] for day in (end - timedelta(days=n) for n in range(7)) if day in days]
        made.append(Trend(end, week[0] if week else None))
    return made


def progress() -> ReviewProgress | None:
    """How far the review is; None before its first run."""
    return ReviewProgress.objects.filter(pk=1).first()


def titles() -> dict[str, str]:
    """The rules' titles by their keys."""
    return {rule.key: rule.title for rule in RULES}
