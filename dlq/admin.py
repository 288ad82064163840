"""The admin shows dead letters and keeps redirect rules; what changes letters is audited and has its own pages."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from dlq.models import DeadLetter, DeadLetterGroup, PastFailure, RedirectRule, Retry
from eventhub.access import audit
from eventhub.pages.read_only import ReadOnly

RETRY_FIELDS = ("attempt", "state", "destination", "requested_by", "requested_at", "finished_at", "error")
FAILURE_FIELDS = ("attempt", "error_class", "error_message", "failed_at")


class RetryInline(ReadOnly, admin.TabularInline[Retry, DeadLetter]):
    """The retries of a letter."""

    model = Retry
    extra = 0
    fields = RETRY_FIELDS
    readonly_fields = RETRY_FIELDS


class PastFailureInline(ReadOnly, admin.TabularInline[PastFailure, DeadLetter]):
    """What a letter died of before."""

    model = PastFailure
    extra = 0
    fields = FAILURE_FIELDS
    readonly_fields = FAILURE_FIELDS


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnly, admin.ModelAdmin[DeadLetter]):
    """Dead letters, to look at."""

    list_display = ["id", "event_type", "source", "reason", "status", "error_class", "last_failed_at", "page"]
    list_filter = ["status", "reason", "source"]
    search_fields = ["=id", "=event_id", "=correlation_id"]
    show_full_result_count = False
    list_select_related = ["source"]
    exclude = ["body"]
    inlines = [RetryInline, PastFailureInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadLetter]:
        """Without the bodies, which may be large."""
        return super().get_queryset(request).defer("body")

    @admin.display(description="Review")
    def page(self, letter: DeadLetter) -> SafeString:
        """A link to where it can be retried."""
        return format_html('<a href="{}">Review</a>', reverse("dead-letter", args=[letter.pk]))


@admin.register(DeadLetterGroup)
class DeadLetterGroupAdmin(ReadOnly, admin.ModelAdmin[DeadLetterGroup]):
    """Groups, to look at."""

    list_display = ["title", "reason", "source", "event_type", "failed_in", "first_seen_at"]
    list_filter = ["reason", "source"]
    search_fields = ["title"]
    list_select_related = ["source"]


@admin.register(RedirectRule)
class RedirectRuleAdmin(admin.ModelAdmin[RedirectRule]):
    """Where letters go instead, when a topic was renamed or retired."""

    list_display = ["pattern", "to_topic", "source", "enabled", "why", "created_by", "created_at"]
    list_filter = ["enabled", "source"]
    search_fields = ["pattern", "to_topic", "why"]
    list_select_related = ["source"]

    def save_model(self, request: HttpRequest, obj: RedirectRule, form: Any, change: bool) -> None:
        """Save, and note who did it."""
        if not change:
            obj.created_by = request.user.get_username()
        super().save_model(request, obj, form, change)
        verb = "change" if change else "create"
        audit.record(audit.actor_of(request), verb, f"redirect rule {obj}", why=obj.why, enabled=obj.enabled)

    def delete_model(self, request: HttpRequest, obj: RedirectRule) -> None:
        """Delete, and note who did it."""
        audit.record(audit.actor_of(request), "delete", f"redirect rule {obj}", why=obj.why)
        obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[RedirectRule]) -> None:
        """Delete each, so that each is noted."""
        for rule in queryset:
            self.delete_model(request, rule)
