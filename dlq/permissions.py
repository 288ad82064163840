"""Who may change dead letters; everybody who is logged in may read them."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, PermissionsMixin

PERMISSION = "dlq.change_deadletter"
WHY_NOT = (
    "You can read dead letters, not change them. "
    "Ask an administrator for the permission “Can change dead letter”."
)


def may_operate(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether `user` may retry, discard and reopen."""
    if not isinstance(user, PermissionsMixin) or not user.is_active:
        return False
    return bool(getattr(user, "is_staff", False)) or user.has_perm(PERMISSION)
