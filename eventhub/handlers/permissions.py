"""Who may switch, pause and replay; everybody who may see EventHub may watch."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest

from eventhub.access.models import Role
from eventhub.access.roles import may


def may_operate(asker: HttpRequest | AbstractBaseUser | AnonymousUser) -> bool:
    """Whether whoever asks may pause, switch and replay."""
    return may(asker, Role.OPERATOR)
