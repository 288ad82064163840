"""Django's admin, open to whoever has a permission for something in it."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest

from eventhub.access.models import Role
from eventhub.access.roles import may


class Site(AdminSite):
    """The admin for editors and administrators, and for those whom Django calls staff."""

    def has_permission(self, request: HttpRequest) -> bool:
        """Whether this person may come in; what can be done inside, Django's permissions say."""
        user = request.user
        return user.is_active and (user.is_staff or may(user, Role.EDITOR))
