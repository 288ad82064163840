"""Who may decide about findings; everybody who is logged in may read them."""

from django.http import HttpRequest

PERMISSION = "review.change_finding"
WHY_NOT = (
    "You can read the flow review, not decide about findings. Ask an administrator for the permission "
    "“Can change finding”."
)


def may_decide(request: HttpRequest) -> bool:
    """Whether this person may accept, suppress and reopen."""
    return request.user.is_staff or request.user.has_perm(PERMISSION)
