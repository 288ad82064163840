"""What a person may do to sources from a page."""

from typing import Literal

from django.http import HttpRequest
from django.urls import reverse

WHY_NOT = (
    "You can watch sources, not pause them. Ask an administrator for the permission “Can change source”."
)


def may_operate(request: HttpRequest) -> bool:
    """Whether this person may pause and resume: staff, and whoever may change sources."""
    return request.user.is_staff or request.user.has_perm("brokers.change_source")


def form_url(request: HttpRequest, what: Literal["add", "change"], *args: object) -> str:
    """Where a source is added or changed; empty for those who may not."""
    user = request.user
    if not (user.is_staff and user.has_perm(f"brokers.{what}_source")):
        return ""
    return reverse("source-choose" if what == "add" else "source-edit", args=args)
