"""The Flow review: all findings with the scores, one finding, the rules' pages, the report to print."""

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_POST, require_safe

from eventhub.access.audit import actor_of
from eventhub.pages.filters import Field, Option, filter_bar
from eventhub.pages.partials import is_partial
from monitoring.review import docs, reading
from monitoring.review.deciding import BadDecision, decide
from monitoring.review.models import Finding, Severity, State
from monitoring.review.permissions import WHY_NOT, may_decide
from monitoring.review.rules import RULES, rule_of

MOST_ROWS = 200
# What is offered first where a person accepts a finding.
ACCEPTED_FOR = timedelta(days=30)
WHOLE = "(whole)"


@require_safe
def review(request: HttpRequest) -> HttpResponse:
    """All findings; as a partial, what changes."""
    template = "review/_list.html" if is_partial(request) else "review/list.html"
    return render(request, template, _all(request))


@require_safe
def finding(request: HttpRequest, pk: int) -> HttpResponse:
    """One finding: what, where, since when, show me, why it matters, what instead."""
    return render(request, "review/finding.html", _about(request, get_object_or_404(Finding, pk=pk)))


@require_POST
def decide_finding(request: HttpRequest, pk: int) -> HttpResponse:
    """Accept, suppress or reopen."""
    if not may_decide(request):
        raise PermissionDenied(WHY_NOT)
    one = get_object_or_404(Finding, pk=pk)
    wanted, day = request.POST.get("state", ""), _day(request.POST.get("until", ""))
    try:
        if wanted not in State.values:
            raise BadDecision("Choose to accept, to suppress or to reopen.")
        decide(
            pk,
            State(wanted),
            actor_of(request),
            reason=request.POST.get("reason", ""),
            expires_at=day,
        )
    except BadDecision as error:
        context = _about(request, one) | {"error": str(error), "given": request.POST}
        return render(request, "review/finding.html", context, status=422)
    said = "The finding is open again." if wanted == State.OPEN else f"The finding is {wanted}."
    messages.success(request, said)
    return redirect("review-finding", pk=pk)


@require_safe
def rule(request: HttpRequest, key: str) -> HttpResponse:
    """A rule's page of documentation, and what it finds now."""
    found = rule_of(key)
    if found is None:
        raise Http404
    return render(
        request,
        "review/rule.html",
        {
            "rule": found,
            "severity": Severity(found.severity).label,
            "sections": list(docs.sections(key).items()),
            "findings": reading.findings(rule=key)[:MOST_ROWS],
        },
    )


@require_safe
def report(request: HttpRequest) -> HttpResponse:
    """Everything on one page, to be printed or sent."""
    return render(
        request,
        "review/report.html",
        {
            "at": timezone.now(),
            "standings": reading.standings(),
            "findings": [
                (one, docs.sections(one.rule).get("Why it matters", "")) for one in reading.findings()
            ],
            "titles": reading.titles(),
            "progress": reading.progress(),
        },
    )


def _all(request: HttpRequest) -> dict[str, Any]:
    standings = reading.standings()
    titles = reading.titles()
    bar = filter_bar(
        request,
        [
            Field(
                name="service",
                label="Service",
                any_label="Any service",
                options=[
                    Option(value=one.service or WHOLE, label=one.service or "the whole") for one in standings
                ],
            ),
            Field(
                name="rule",
                label="Rule",
                any_label="Any rule",
                options=[Option(value=key, label=title) for key, title in titles.items()],
            ),
            Field(
                name="state",
                label="State",
                any_label="Open and accepted",
                options=[Option(value=state.value, label=state.label.lower()) for state in State],
            ),
        ],
    )
    given = {field.name: field.value for field in bar.fields}
    service = given["service"] or None
    found = reading.findings(
        state=given["state"], service="" if service == WHOLE else service, rule=given["rule"]
    )
    rows = list(found[: MOST_ROWS + 1])
    return {
        "bar": bar,
        "is_filtered": bool(bar.chips),
        "whole": next((one for one in standings if not one.service), None),
        "services": [one for one in standings if one.service],
        "findings": rows[:MOST_ROWS],
        "more": len(rows) > MOST_ROWS,
        "titles": titles,
        "progress": reading.progress(),
        "rules": RULES,
    }


def _about(request: HttpRequest, one: Finding) -> dict[str, Any]:
    told = docs.sections(one.rule)
    weeks = reading.trend(one)
    return {
        "finding": one,
        "rule": rule_of(one.rule),
        "why": told.get("Why it matters", ""),
        "bad": told.get("Bad", ""),
        "better": told.get("Better", ""),
        "trend": weeks,
        "most": max((week.n or 0 for week in weeks), default=0),
        "changes": one.changes.all()[:30],
        "may_decide": may_decide(request),
        "until": (timezone.now() + ACCEPTED_FOR).date(),
        "why_not": WHY_NOT,
    }


def _day(text: str) -> datetime | None:
    """The end of a day as it was typed; None for none. Raises no error: a bad date is none."""
    try:
        day = parse_date(text.strip())
    except ValueError:
        return None
    return timezone.make_aware(datetime.combine(day, time.max)) if day else None
