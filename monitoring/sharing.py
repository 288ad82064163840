"""Links that show the wall to whoever has them, for a while, without a login. Nothing can be changed with one.

A link is signed, not stored: it ends by itself, when who made it may share no longer, and when
SECRET_KEY changes.
"""

from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.core import signing
from django.utils import timezone

from eventhub.access.models import Role
from eventhub.access.roles import may

SALT = "monitoring.wall"
# Who may make links; the table of pages (eventhub.access.rules) says the same.
ROLE = Role.OPERATOR
LENGTHS = {
    "1h": timedelta(hours=1),
    "1d": timedelta(days=1),
    "7d": timedelta(days=7),
    "30d": timedelta(days=30),
}


def make_key(length: timedelta, made_by: str) -> str:
    """The key of a link that ends after `length`."""
    until = int((timezone.now() + length).timestamp())
    return signing.dumps({"until": until, "by": made_by}, salt=SALT, compress=True)


def ends_at(key: str) -> datetime | None:
    """Until when the key opens the wall; None for a key that is wrong or has ended."""
    try:
        told = signing.loads(key, salt=SALT)
        until = datetime.fromtimestamp(told["until"], timezone.get_current_timezone())
        maker = User.objects.filter(username=told["by"]).first()
    except (signing.BadSignature, KeyError, TypeError, ValueError, OverflowError, OSError):
        return None
    return until if until > timezone.now() and maker is not None and may(maker, ROLE) else None
