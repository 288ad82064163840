"""Bringing the findings in line with what the rules found in a run."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec

from monitoring.review import states
from monitoring.review.models import Change, Finding, FindingDay, State
from monitoring.review.rule import Rule, Verdict
from monitoring.review.states import Step

LONGEST = 400
_TOLD = ("severity", "title", "detail", "advice", "n", "of", "evidence", "first_at", "last_at")
# The most findings that one rule keeps open: a flaw of everything is told by its first hundred.
MOST_A_RULE = 100


def settle(rule: Rule, verdicts: Iterable[Verdict], now: datetime) -> list[Finding]:
    """Write down what `rule` found at `now`, in the caller's transaction; the findings it touched."""
    found = {(one.service[:LONGEST], one.subject[:LONGEST]): one for one in verdicts}
    worst = sorted(found, key=lambda key: -found[key].n)[:MOST_A_RULE]
    known = {(one.service, one.subject): one for one in Finding.objects.filter(rule=rule.key)}
    touched, quiet = [], []
    for key in sorted({*worst, *known}):
        finding, is_step = _settled(rule, key, known.get(key), found.get(key), now)
        if finding is not None:
            touched.append(finding)
            if not is_step:
                quiet.append(finding)
    Finding.objects.bulk_update(quiet, _TOLD)
    FindingDay.objects.bulk_create(
        [FindingDay(finding=one, day=now.date(), n=one.n) for one in touched],
        update_conflicts=True,
        unique_fields=["finding", "day"],
        update_fields=["n"],
    )
    return touched


def _settled(
    rule: Rule, key: tuple[str, str], finding: Finding | None, verdict: Verdict | None, now: datetime
) -> tuple[Finding | None, bool]:
    """The finding, and whether its state changed; then it is saved, with a line of its history."""
    before = State(finding.state) if finding else None
    after, step = states.advance(
        before, finding.expires_at if finding else None, is_found=verdict is not None, now=now
    )
    if after is None or (verdict is None and step is Step.NONE):
        return None, False
    finding = finding or Finding(rule=rule.key, service=key[0], subject=key[1], first_at=now, last_at=now)
    finding.state = after
    if verdict is not None:
        _tell(finding, rule, verdict)
    else:
        finding.n = 0
    if step is Step.NONE:
        return finding, False
    finding.state_since = now
    finding.times_returned += step is Step.RETURNED
    finding.reason, finding.decided_by, finding.expires_at = "", "", None
    finding.save()
    Change.objects.create(finding=finding, what=step.value)
    return finding, True


def _tell(finding: Finding, rule: Rule, verdict: Verdict) -> None:
    is_new = finding.pk is None
    finding.severity = verdict.severity or rule.severity
    finding.title, finding.detail, finding.advice = verdict.title, verdict.detail, verdict.advice
    finding.n, finding.of = verdict.n, verdict.of
    finding.evidence = _plain(verdict.evidence)
    # Counts reach back a day; the finding remembers when it all began.
    finding.first_at = verdict.first_at if is_new else min(finding.first_at, verdict.first_at)
    finding.last_at = max(verdict.last_at, finding.last_at) if not is_new else verdict.last_at


def _plain(evidence: Iterable[Any]) -> list[Any]:
    made: list[Any] = msgspec.to_builtins(list(evidence))
    return made
