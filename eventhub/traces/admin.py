"""What people declare about traces: searchable attributes, and processes with their steps."""

from datetime import UTC, datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from eventhub.pages.formats import number, percent
from eventhub.schemas.admin import EventTypeAdmin
from eventhub.schemas.models import EventType
from eventhub.traces import attributes
from eventhub.traces.language import KEYWORDS
from eventhub.traces.models import Process, ProcessStep, SavedSearch, SearchableAttribute
from eventhub.traces.processes.watching import reconsider


class SearchableAttributeInline(admin.TabularInline[SearchableAttribute, EventType]):
    """A type's searchable attributes on its form; one that is there is changed in its own."""

    model = SearchableAttribute
    fields = ("name", "path")
    extra = 0
    show_change_link = True
    can_delete = False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A path that changes is filled anew, which its own form sees to."""
        return False


EventTypeAdmin.inlines = (*EventTypeAdmin.inlines, SearchableAttributeInline)


@admin.register(SearchableAttribute)
class SearchableAttributeAdmin(admin.ModelAdmin[SearchableAttribute]):
    """Values of payloads that people search by; older events are filled in the background."""

    list_display = ("name", "event_type", "path", "filled")
    list_filter = ("name",)
    list_select_related = ("event_type",)
    search_fields = ("name", "event_type__name", "path")
    autocomplete_fields = ("event_type",)
    fields = ("event_type", "name", "path", "filled")
    readonly_fields = ("filled",)

    @admin.display(description="older events")
    def filled(self, attribute: SearchableAttribute) -> str:
        """How far the background job is."""
        if not attribute.pk:
            return "–"
        if attribute.filled_at:
            return f"all {number(attribute.looked_at)} filled"
        if attribute.to_look_at is None:
            return "waits for its turn"
        done = f"{number(attribute.looked_at)} of {number(attribute.to_look_at)}"
        return f"{percent(attribute.progress)}: {done} looked at"

    def save_model(self, request: HttpRequest, obj: SearchableAttribute, form: Any, change: bool) -> None:
        """A path that changed is filled anew; a name that the search language has a meaning for is warned of."""
        if obj.name in KEYWORDS:
            self.message_user(
                request,
                f"“{obj.name}:” has a meaning of its own in searches, so nobody will find it by that name.",
                messages.WARNING,
            )
        if change and {"path", "event_type"}.intersection(form.changed_data):
            attributes.forget_values(obj.pk)
            obj.reached_at = obj.reached_position = obj.to_look_at = obj.filled_at = None
            obj.looked_at = 0
            obj.created_at = datetime.now(UTC)
        super().save_model(request, obj, form, change)

    def delete_model(self, request: HttpRequest, obj: SearchableAttribute) -> None:
        """With what was filled."""
        attributes.forget_values(obj.pk)
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[SearchableAttribute]) -> None:
        """With what was filled."""
        for attribute in queryset:
            attributes.forget_values(attribute.pk)
        super().delete_queryset(request, queryset)


class ProcessStepInline(admin.TabularInline[ProcessStep, Process]):
    """The steps, in their order."""

    model = ProcessStep
    extra = 1
    fields = ("order", "event_type", "role", "after", "within_s", "undoes")


@admin.register(Process)
class ProcessAdmin(admin.ModelAdmin[Process]):
    """Processes: what begins them, what ends them, what undoes them, and until when."""

    list_display = ("name", "start_type", "owner", "deadline_s", "enabled", "page_link")
    list_filter = ("enabled", "owner")
    search_fields = ("name", "start_type", "description")
    fields = ("name", "description", "owner", "start_type", "deadline_s", "enabled")
    inlines = (ProcessStepInline,)

    @admin.display(description="instances")
    def page_link(self, process: Process) -> SafeString:
        """Its page."""
        return format_html('<a href="{}">Its instances</a>', reverse("process", args=[process.pk]))

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """Instances are judged by the new plan from the next seconds on."""
        super().save_related(request, form, formsets, change)
        count = reconsider(form.instance.start_type)
        if count:
            self.message_user(request, f"{number(count)} instances are looked at again.")


@admin.register(SavedSearch)
class SavedSearchAdmin(admin.ModelAdmin[SavedSearch]):
    """Searches that people saved."""

    list_display = ("name", "owner", "query", "is_shared")
    list_filter = ("is_shared", "owner")
    list_select_related = ("owner",)
    search_fields = ("name", "query")
