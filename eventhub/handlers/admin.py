from django.contrib import admin

from eventhub.handlers.models import Handler, Replay
from eventhub.pages.read_only import ReadOnly


@admin.register(Handler)
class HandlerAdmin(ReadOnly, admin.ModelAdmin[Handler]):
    """The handlers' rows; they are switched on their pages."""

    list_display = ("name", "enabled", "paused", "circuit", "failures", "created_at")
    list_filter = ("enabled", "paused", "circuit")
    search_fields = ("name",)


@admin.register(Replay)
class ReplayAdmin(ReadOnly, admin.ModelAdmin[Replay]):
    """What was replayed to whom, and by whom."""

    list_display = (
        "id",
        "handler",
        "which",
        "state",
        "delivered",
        "looked_at",
        "requested_by",
        "requested_at",
    )
    list_filter = ("state", "which", "handler")
    list_select_related = ("handler",)
