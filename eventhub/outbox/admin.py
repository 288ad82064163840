from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from eventhub.outbox import figures
from eventhub.outbox.models import OutboxMessage


@admin.register(OutboxMessage)
class OutboxMessageAdmin(admin.ModelAdmin[OutboxMessage]):
    """The outbox for looking at, and for sending again what was given up."""

    list_display = ("id", "topic", "key", "created_at", "published_at", "attempts", "dead_at", "error")
    list_filter = (("dead_at", admin.EmptyFieldListFilter), ("published_at", admin.EmptyFieldListFilter))
    search_fields = ("topic", "key")
    show_full_result_count = False
    actions = ("send_again",)

    @admin.action(description="Send again", permissions=["change"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[OutboxMessage]) -> None:
        """Let what was given up wait to be sent again."""
        count = figures.send_again(list(chosen.values_list("pk", flat=True)))
        self.message_user(request, f"{count} wait to be sent again.")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Events come from code, in the transaction of their change."""
        return False
