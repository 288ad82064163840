"""The roles as Django groups: made after every migration, held to what each role means, given to people."""

from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import Q

from eventhub.access import audit
from eventhub.access.models import Role
from eventhub.access.roles import PERMISSIONS, RANKS, role_of

# What an editor keeps in order in the admin; an administrator has every permission there is.
EDITED_APPS = (
    "schemas",
    "brokers",
    "monitoring",
    "traces",
    "dlq",
    "outbox",
    "handlers",
    "events",
    "sourcing",
    "sagas",
    "review",
)


def make_groups(**_: Any) -> None:
    """Make the groups that are missing, and give each what its role needs. What was added by hand stays."""
    for role in Role:
        group, _made = Group.objects.get_or_create(name=role.value)
        held = set(group.permissions.values_list("pk", flat=True))
        group.permissions.add(*(pk for pk in _meant_for(role) if pk not in held))


@transaction.atomic
def give_role(user: User, role: Role | None, actor: audit.Actor, why: str = "") -> bool:
    """Give `user` this role everywhere in place of the one held; None takes it. Audited; false when nothing changed."""
    groups = user.groups.filter(name__in=Role.values)
    before = sorted(groups.values_list("name", flat=True))
    if before == ([role.value] if role else []):
        return False
    user.groups.remove(*groups)
    if role is not None:
        user.groups.add(Group.objects.get(name=role.value))
    for cached in ("_perm_cache", "_user_perm_cache", "_group_perm_cache"):
        user.__dict__.pop(cached, None)
    detail = {"because": why} if why else {}
    audit.record(
        actor, "give role", f"user {user.get_username()}", role=role and role.value, before=before, **detail
    )
    return True


def given_role(user: User) -> Role | None:
    """The role that was given to `user` by group; `role_of` tells the one that counts."""
    names = set(user.groups.filter(name__in=Role.values).values_list("name", flat=True))
    held = [role for role in Role if role.value in names]
    return max(held, key=RANKS.__getitem__) if held else None


def _meant_for(role: Role) -> list[int]:
    if role == Role.ADMINISTRATOR:
        wanted = Q()
    else:
        codes = [PERMISSIONS[one].partition(".")[2] for one in Role if RANKS[one] <= RANKS[role]]
        wanted = Q(content_type__app_label="access", codename__in=codes)
        if role == Role.EDITOR:
            wanted |= Q(content_type__app_label__in=EDITED_APPS)
    return list(Permission.objects.filter(wanted).values_list("pk", flat=True))


__all__ = ["give_role", "given_role", "make_groups", "role_of"]
