"""Who may decide about a finding; everybody who may see EventHub may read them."""

from django.http import HttpRequest

from eventhub.access.models import Role
from eventhub.access.roles import may, why_not

WHY_NOT = f"You can read findings, not decide about them. {why_not(Role.OPERATOR)}"


def may_decide(request: HttpRequest) -> bool:
    """Whether this person may accept, suppress and reopen."""
    return may(request, Role.OPERATOR)
