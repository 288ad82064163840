"""People of each role, and tokens of each scope, for tests."""

from django.contrib.auth.models import Group, User
from django.test import Client

from eventhub.access.models import Grant, Role, Scope
from eventhub.access.tokens import create_token


def person(role: Role | None, name: str = "", **grants_of: str) -> User:
    """A person with a role everywhere; ``operator="payments"`` adds that role for one source, ``_team`` for a team."""
    user = User.objects.create_user(name or f"the-{role.value if role else 'newcomer'}")
    if role is not None:
        user.groups.add(Group.objects.get(name=role.value))
    for what, where in grants_of.items():
        granted, _, kind = what.partition("_")
        Grant.objects.create(user=user, role=granted, **{kind or "source": where})
    return User.objects.get(pk=user.pk)


def browser(user: User | None = None) -> Client:
    """A browser that `user` has signed in with; errors become answers, as in production."""
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user)
    return client


def script(scope: Scope, *sources: str) -> dict[str, str]:
    """The headers of a script with a new token."""
    return {"authorization": f"Bearer {create_token(f'{scope.value} script', scope, sources=sources)}"}
