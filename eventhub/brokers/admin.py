"""The admin lists and deletes sources; they are added and changed on the Sources pages, which it leads to."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import ProtectedError, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.urls import reverse

from eventhub.access import audit
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.trying import try_connection


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin[Source]):
    """Taps: what is read from where."""

    list_display = ("name", "kind", "role", "enabled", "paused", "changed_at")
    list_filter = ("kind", "role", "enabled", "paused")
    search_fields = ("name",)
    actions = ("test_connections",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        """Those that messages come from."""
        return super().get_queryset(request).exclude(kind=Kind.HANDLERS)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """The form of the Sources pages."""
        return HttpResponseRedirect(reverse("source-choose"))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The form of the Sources pages; the source's page for those who may only look."""
        source = get_object_or_404(Source, pk=object_id)
        if not self.has_view_permission(request, source):
            raise PermissionDenied
        page = "source-edit" if self.has_change_permission(request, source) else "source"
        return HttpResponseRedirect(reverse(page, args=[source.name]))

    @admin.action(description="Test the connection", permissions=["view"])
    def test_connections(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Try each chosen source and say what happened."""
        for source in queryset:
            report = try_connection(source)
            level = messages.SUCCESS if report.ok else messages.ERROR
            self.message_user(request, f"{source.name}: {report.text}", level)

    def delete_model(self, request: HttpRequest, obj: Source) -> None:
        """Delete, and note who did it; what has dead letters stays."""
        try:
            obj.delete()
        except ProtectedError:
            self.message_user(
                request, f"{obj.name} has dead letters and stays. Switch it off instead.", messages.ERROR
            )
        else:
            audit.record(audit.actor_of(request), "delete", f"source {obj.name}")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Delete the chosen ones, each noted."""
        for source in queryset:
            self.delete_model(request, source)
