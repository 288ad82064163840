"""Who may switch, pause and replay; everybody who is logged in may watch."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, PermissionsMixin

PERMISSION = "handlers.change_handler"
WHY_NOT = (
    "You can watch handlers, not change them. Ask an administrator for the permission “Can change handler”."
)


def may_operate(user: AbstractBaseUser | AnonymousUser) -> bool:
    """Whether `user` may pause, switch and replay."""
    if not isinstance(user, PermissionsMixin) or not user.is_active:
        return False
    return bool(getattr(user, "is_staff", False)) or user.has_perm(PERMISSION)
