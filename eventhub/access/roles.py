"""Who may do what: the one place that is asked by pages, the API, WebSockets and the admin.

A person's role comes from the groups of the same names, for everything, and from grants, for one source or team.
A token's comes from its scope and the sources that it is limited to.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.conf import settings
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from eventhub.access.models import ApiToken, Grant, Role, Scope

Asker: TypeAlias = HttpRequest | AbstractBaseUser | AnonymousUser

PERMISSIONS = {
    Role.VIEWER: "access.look",
    Role.OPERATOR: "access.operate",
    Role.EDITOR: "access.edit",
    Role.ADMINISTRATOR: "access.administer",
}
RANKS = {role: rank for rank, role in enumerate(Role)}
OF_SCOPE = {Scope.READ: Role.VIEWER, Scope.OPERATE: Role.OPERATOR, Scope.CONFIGURE: Role.EDITOR}
DEEDS = {
    Role.VIEWER: "see this",
    Role.OPERATOR: "retry, discard, pause or replay here",
    Role.EDITOR: "change this",
    Role.ADMINISTRATOR: "administer this",
}


@dataclass(frozen=True, slots=True)
class Reach:
    """How far a right goes: everywhere, or to some sources and the event types of some teams."""

    everywhere: bool = False
    sources: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return self.everywhere or bool(self.sources or self.teams)

    def covers(self, *, source: str = "", team: str = "") -> bool:
        """Whether it goes to this source, or to what this team owns."""
        return (
            self.everywhere
            or (bool(source) and source in self.sources)
            or (bool(team) and team in self.teams)
        )


NOWHERE = Reach()
EVERYWHERE = Reach(everywhere=True)


def reach(asker: Asker, role: Role) -> Reach:
    """Where whoever asks has `role` or a higher one."""
    if isinstance(asker, HttpRequest):
        token = getattr(asker, "auth", None)
        if isinstance(token, ApiToken):
            return _reach_of_token(token, role)
        asker = asker.user
    if not asker.is_authenticated or not asker.is_active:
        return NOWHERE
    own = role_of(asker)
    if own is not None and RANKS[own] >= RANKS[role]:
        return EVERYWHERE
    grants = [grant for grant in _grants(asker) if RANKS[Role(grant.role)] >= RANKS[role]]
    if role == Role.VIEWER and grants:
        return EVERYWHERE  # who may change something has to see it
    return Reach(
        sources=frozenset(grant.source for grant in grants if grant.source),
        teams=frozenset(grant.team for grant in grants if grant.team),
    )


def may(asker: Asker, role: Role, *, source: str = "", team: str = "") -> bool:
    """Whether whoever asks has `role` everywhere, or for this source, or for what this team owns."""
    return reach(asker, role).covers(source=source, team=team)


def require(asker: Asker, role: Role, *, source: str = "", team: str = "") -> None:
    """Raises PermissionDenied, whose text says what is missing and whom to ask."""
    found = reach(asker, role)
    if not found.covers(source=source, team=team):
        raise PermissionDenied(why_not(role, found))


def require_person(request: HttpRequest, role: Role) -> None:
    """As `require` for a person; a token got as far as its scope lets it."""
    if not isinstance(getattr(request, "auth", None), ApiToken):
        require(request, role)


def why_not(role: Role, limited_to: Reach = NOWHERE) -> str:
    """What to tell those who lack `role`."""
    if limited_to:
        return f"You have the role “{role.value}” for {in_words(limited_to)} only. Ask an administrator for more."
    return f"To {DEEDS[role]} you need the role “{role.value}”. Ask an administrator for it."


def in_words(found: Reach) -> str:
    """Sources and teams by their names: "the source payments and the team checkout"."""
    parts = [_named("source", found.sources), _named("team", found.teams)]
    return " and ".join(part for part in parts if part) or "everything"


def role_of(user: AbstractBaseUser | AnonymousUser) -> Role | None:
    """The highest role that `user` has everywhere; None for an account that may do nothing.

    An account without any role is an operator when Django calls it staff, else what `DEFAULT_ROLE` says.
    """
    user_: Any = user
    if user_.is_superuser:
        return Role.ADMINISTRATOR
    held = [role for role, permission in PERMISSIONS.items() if user_.has_perm(permission)]
    if held:
        return max(held, key=RANKS.__getitem__)
    if user_.is_staff:
        return Role.OPERATOR
    return Role(settings.DEFAULT_ROLE) if settings.DEFAULT_ROLE else None


def _grants(user: Any) -> list[Grant]:
    """Asked of the database once for each request's user."""
    if not hasattr(user, "_eventhub_grants"):
        user._eventhub_grants = list(Grant.objects.filter(user=user.pk))
    found: list[Grant] = user._eventhub_grants
    return found


def _reach_of_token(token: ApiToken, role: Role) -> Reach:
    own = OF_SCOPE.get(Scope(token.scope))
    if own is None or RANKS[own] < RANKS[role]:
        return NOWHERE
    if token.sources and role != Role.VIEWER:
        return Reach(sources=frozenset(token.sources))
    return EVERYWHERE


def _named(kind: str, names: Collection[str]) -> str:
    if not names:
        return ""
    return f"the {kind}{'s' if len(names) > 1 else ''} {', '.join(sorted(names))}"
