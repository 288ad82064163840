"""The review for a terminal and for machines: words, JSON, JUnit."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

import msgspec

from monitoring.review.models import Finding, Severity
from monitoring.review.reading import Standing
from monitoring.review.rules import RULES


def text(standings: Sequence[Standing], findings: Sequence[Finding]) -> str:
    """For people: the scores, then each finding in three lines."""
    lines = [f"{one.score:>3}  {one.service or 'the whole'} ({_counted(one.findings)})" for one in standings]
    for one in findings:
        accepted = f" (accepted until {one.expires_at:%F})" if one.expires_at else ""
        lines += [
            "",
            f"{Severity(one.severity).label.upper():6} {one.title}{accepted}",
            f"       {one.detail}" if one.detail else "",
            f"       Instead: {one.advice}",
            f"       {one.rule}, since {one.first_at:%F %H:%M}, {one.n:,} times in the last day, finding {one.pk}",
        ]
    return "\n".join(line for line in lines if line or not lines) + "\n"


def as_json(standings: Sequence[Standing], findings: Sequence[Finding]) -> str:
    """For scripts: scores and findings."""
    told: dict[str, Any] = {
        "scores": {one.service: one.score for one in standings},
        "findings": [_plain(one) for one in findings],
    }
    return msgspec.json.format(msgspec.json.encode(told)).decode() + "\n"


def junit(findings: Iterable[Finding]) -> str:
    """For CI systems: a test case a rule, which fails with its findings."""
    by_rule: dict[str, list[Finding]] = defaultdict(list)
    for one in findings:
        by_rule[one.rule].append(one)
    suite = ElementTree.Element(
        "testsuite", name="flow review", tests=str(len(RULES)), failures=str(len(by_rule)), errors="0"
    )
    for rule in RULES:
        case = ElementTree.SubElement(suite, "testcase", classname="review", name=rule.key)
        if found := by_rule.get(rule.key):
            failure = ElementTree.SubElement(case, "failure", message=found[0].title)
            failure.text = "\n".join(f"{one.title}: {one.detail} {one.advice}" for one in found)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _plain(one: Finding) -> dict[str, Any]:
    return {
        "id": one.pk,
        "rule": one.rule,
        "service": one.service,
        "subject": one.subject,
        "severity": Severity(one.severity).label,
        "title": one.title,
        "detail": one.detail,
        "advice": one.advice,
        "n": one.n,
        "of": one.of,
        "state": one.state,
        "first_at": one.first_at,
        "last_at": one.last_at,
        "evidence": one.evidence,
    }


def _counted(n: int) -> str:
    return "no finding" if n == 0 else "1 finding" if n == 1 else f"{n} findings"
