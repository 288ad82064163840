"""Admin pages that show and search, and change nothing."""

from typing import Any

from django.http import HttpRequest


class ReadOnly:
    """Put before ``ModelAdmin`` or an inline: nothing is added, changed or deleted there, by nobody."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """No."""
        return False
