from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from eventhub.access.models import ApiToken, AuditEntry


class ReadOnly(admin.ModelAdmin[Any]):
    """Shown, searched, never changed."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody adds by hand."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody changes."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes."""
        return False


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly):
    """The audit log."""

    list_display = ("at", "actor", "action", "target")
    list_filter = ("action",)
    search_fields = ("actor", "target")
    date_hierarchy = "at"


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly):
    """Which scripts have a key. Created and revoked with ``manage.py token``."""

    list_display = ("name", "scope", "prefix", "created_at", "last_used_at", "revoked_at")
    list_filter = ("scope",)
    fields = ("name", "scope", "prefix", "created_at", "last_used_at", "expires_at", "revoked_at")
