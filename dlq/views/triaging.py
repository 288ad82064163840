"""What people decide about a group: the sheets that ask, and what they do."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from dlq import listing, regrouping, rules, triage
from dlq.filter import Filter, GroupState
from dlq.models import DeadLetter, DeadLetterGroup, GroupComment, GroupRule
from dlq.permissions import require_group
from dlq.reading import fields_of
from dlq.views.asking import finish
from eventhub.access.audit import Actor, actor_of
from eventhub.access.models import AuditEntry

SNOOZES = {
    "1h": ("For an hour", timedelta(hours=1)),
    "4h": ("For four hours", timedelta(hours=4)),
    "1d": ("Until this time tomorrow", timedelta(days=1)),
    "7d": ("For a week", timedelta(days=7)),
}
OTHERS_OFFERED = 60
HISTORY_SHOWN = 30
# Of everything that was done on this installation, the latest.
HISTORY_LOOKED_AT = 20_000


@require_http_methods(["GET", "POST"])
def decide(request: HttpRequest, pk: int, what: str) -> HttpResponse:
    """GET: the sheet that asks. POST: do it."""
    group = get_object_or_404(DeadLetterGroup.objects.select_related("assignee", "source"), pk=pk)
    require_group(request, group)
    if request.method == "GET":
        return _sheet(request, group, what)
    try:
        return finish(DEEDS[what](request, group, actor_of(request)))
    except (triage.CannotDecide, regrouping.CannotRegroup) as error:
        return _sheet(request, group, what, str(error), status=422)


@require_http_methods(["POST"])
def undo_rule(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a rule about groups out of force."""
    try:
        rule = regrouping.undo(pk, actor_of(request))
    except regrouping.CannotRegroup as error:
        return finish(str(error), "warning")
    return finish("Undone." if rule.settled_at else "Undone; its letters are moving back.")


def regrouped(group_id: int) -> dict[str, Any]:
    """The rules in force that made a group what it is, for its page."""
    about = list(
        GroupRule.objects.filter(undone_at=None)
        .filter(Q(target=group_id) | Q(group=group_id, target=None) | Q(parts=group_id))
        .select_related("group", "target")
        .distinct()
    )
    splits = [rule for rule in about if rule.target_id is None]
    return {
        "merged": [rule for rule in about if rule.target_id == group_id],
        "split": next((rule for rule in splits if rule.group_id == group_id), None),
        "split_from": next((rule for rule in splits if rule.group_id != group_id), None),
        "comments": GroupComment.objects.filter(group=group_id).count(),
    }


def _sheet(
    request: HttpRequest, group: DeadLetterGroup, what: str, error: str = "", status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {"group": group, "error": error, "what": what}
    match what:
        case "assign":
            context |= {"people": triage.assignable(), "me": request.user.get_username()}
        case "snooze":
            context["choices"] = [(name, words) for name, (words, _) in SNOOZES.items()]
        case "notes":
            context |= {
                "comments": group.comments.all(),
                "history": _history(group),
            }
        case "regroup":
            others = listing.groups(Filter(state=GroupState.ANY.value), OTHERS_OFFERED)
            context |= {
                "others": [row for row in others if row.id != group.pk],
                "fields": _splits(group),
            } | regrouped(group.pk)
        case _:
            pass
    return render(request, f"dlq/_{what}_sheet.html", context, status=status)


def _history(group: DeadLetterGroup) -> list[AuditEntry]:
    latest = AuditEntry.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    recent = AuditEntry.objects.filter(pk__gt=latest - HISTORY_LOOKED_AT)
    return list(recent.filter(target=f"dead-letter group {group.pk}").order_by("-pk")[:HISTORY_SHOWN])


def _splits(group: DeadLetterGroup) -> list[dict[str, str]]:
    """The fields to split by, each with the value that the newest letter has."""
    newest = DeadLetter.objects.filter(group=group).select_related("source").order_by("-pk").first()
    value = fields_of(newest) if newest else lambda field: None
    return [
        {"name": field, "words": words, "example": value(field) or ""}
        for field, words in rules.PLAIN_FIELDS.items()
    ]


def _assign(request: HttpRequest, group: DeadLetterGroup, actor: Actor) -> str:
    who = request.POST.get("who", "")
    triage.assign(group.pk, who, actor)
    return f"Assigned to {who}." if who else "Assigned to nobody."


def _snooze(request: HttpRequest, group: DeadLetterGroup, actor: Actor) -> str:
    asked = request.POST.get("until", "")
    if asked == "wake":
        triage.wake(group.pk, actor)
        return "Awake again."
    if asked == "failures":
        number = request.POST.get("failures", "")
        if not re.fullmatch(r"[0-9]{1,9}", number):
            raise triage.CannotDecide("Write how many more failures, as a number.")
        triage.snooze(group.pk, actor, failures=int(number))
        return f"Snoozed until it has failed {int(number):,} more times."
    until = _moment(request.POST.get("at", "")) if asked == "at" else None
    if asked in SNOOZES:
        until = timezone.now() + SNOOZES[asked][1]
    triage.snooze(group.pk, actor, until=until)
    return f"Snoozed until {until:%Y-%m-%d %H:%M} UTC."


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _fixed(request: HttpRequest, group: DeadLetterGroup, actor: Actor) -> str:
    if request.POST.get("fixed") == "no":
        triage.mark_unfixed(group.pk, actor)
        return "No longer marked as fixed."
    found = triage.mark_fixed(group.pk, request.POST.get("release", ""), actor)
    return (
        f"Marked as fixed{f' in {found.fixed_in}' if found.fixed_in else ''}. If it fails again, it says so."
    )


def _notes(request: HttpRequest, group: DeadLetterGroup, actor: Actor) -> str:
    triage.comment(group.pk, request.POST.get("text", ""), actor)
    return "Noted."


def _regroup(request: HttpRequest, group: DeadLetterGroup, actor: Actor) -> str:
    if request.POST.get("verb") == "split":
        field = request.POST.get("path", "").strip() or request.POST.get("field", "")
        rule = regrouping.split(group.pk, field, actor)
        moved = "Split" if rule.settled_at else "Split; its letters are moving"
        return f"{moved} by {rules.readable(rule.field)}."
    wanted = [int(pk) for pk in request.POST.getlist("group") if re.fullmatch(r"[0-9]{1,18}", pk)]
    made = regrouping.merge(wanted, group.pk, actor)
    return f"Merged {len(made)} group{'' if len(made) == 1 else 's'} into this one."


DEEDS = {"assign": _assign, "snooze": _snooze, "fixed": _fixed, "notes": _notes, "regroup": _regroup}
