"""What a person may do to sources and alerts from a page."""

from typing import Literal

from django.http import HttpRequest
from django.urls import reverse

from eventhub.access.models import Role
from eventhub.access.roles import may, why_not

WHY_NOT = why_not(Role.OPERATOR)


def may_operate(request: HttpRequest, source: str = "") -> bool:
    """Whether this person may pause and resume: everything, or this source."""
    return may(request, Role.OPERATOR, source=source)


def form_url(request: HttpRequest, what: Literal["add", "change"], *args: str) -> str:
    """Where a source is added or changed; empty for those who may not."""
    if not may(request, Role.EDITOR, source=args[0] if args else ""):
        return ""
    return reverse("source-choose" if what == "add" else "source-edit", args=args)
