"""The event store in the admin: to look, never to change. No list counts its rows."""

from typing import Any

import msgspec
from django.contrib import admin
from django.core.paginator import Page, Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString

from eventhub.events.models import Event, MutatedDuplicate
from eventhub.events.showing import content_shown_to
from eventhub.pages.formats import short_id
from eventhub.pages.json_tree import json_tree
from eventhub.pages.read_only import ReadOnly
from eventhub.pages.templatetags.show import exact

# How far back a person leafs through a list by hand; further back one searches by id.
LISTED_ROWS = 5_000


class UncountedPaginator(Paginator[Any]):
    """Leafs through the first rows of a table of any size without counting them."""

    @cached_property
    def count(self) -> int:
        """How many rows can be leafed through, found by looking no further than that."""
        return len(self.object_list.values_list("pk", flat=True)[:LISTED_ROWS])  # type: ignore[attr-defined]

    def page(self, number: int | str) -> Page[Any]:
        """The page, or the nearest one there is."""
        return super().page(min(max(int(number), 1), self.num_pages))


class UncountedAdmin(ReadOnly, admin.ModelAdmin[Any]):
    """Shown and searched without counting; what happened cannot be changed."""

    paginator = UncountedPaginator
    show_full_result_count = False
    list_per_page = 50


@admin.register(Event)
class EventAdmin(UncountedAdmin):
    """Stored events, those recorded last first. A row leads to the event's own page."""

    list_display = ("event_type", "id_link", "source", "occurred", "recorded", "trace_link")
    list_display_links = None
    search_fields = ("event_id", "correlation_id")
    search_help_text = "A whole event id or correlation id. For words and values use the Traces page."
    sortable_by = ()
    # In log order backwards: index events_event_log.
    ordering = ("-txid", "-position")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """Without payloads: a list shows none."""
        return super().get_queryset(request).defer("data", "metadata")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> None:
        """Nothing: the position alone has no index. The event's page shows it, found by its id."""
        return

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """Whole ids only, by the indexes events_event_once and events_event_correlation."""
        word = search_term.strip().replace("\x00", "")
        if not word:
            return queryset, False
        found = queryset.filter(Q(event_id=word) | Q(correlation_id=word))
        # Sorted by what has no index, so that the planner finds the few first and does not walk the log for them.
        return found.order_by("-recorded_at", "-position"), False

    @admin.display(description="occurred at")
    def occurred(self, event: Event) -> SafeString:
        """To the millisecond: events of one second belong together."""
        return exact(event.occurred_at)

    @admin.display(description="recorded at")
    def recorded(self, event: Event) -> SafeString:
        """To the millisecond."""
        return exact(event.recorded_at)

    @admin.display(description="event id")
    def id_link(self, event: Event) -> SafeString:
        """The id, leading to the event's page."""
        return _link("event", event.event_id)

    @admin.display(description="trace")
    def trace_link(self, event: Event) -> SafeString | str:
        """The correlation id, leading to the trace."""
        if event.correlation_id is None:
            return "–"
        return _link("trace", event.correlation_id)


@admin.register(MutatedDuplicate)
class MutatedDuplicateAdmin(UncountedAdmin):
    """Events that came again under a stored id with other content, beside what was stored first."""

    list_display = ("event_type", "event_id", "source", "times_seen", "first_seen_at", "last_seen_at")
    search_fields = ("=event_id",)
    search_help_text = "A whole event id."
    fields = (
        "event_type",
        "event_id",
        "event_page",
        "source",
        "occurred_at",
        "times_seen",
        "first_seen_at",
        "last_seen_at",
        "differing_content",
    )
    readonly_fields = fields

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> MutatedDuplicate | None:
        """With no more of its content than whoever asks may see."""
        found: MutatedDuplicate | None = super().get_object(request, object_id, from_field)
        if found is not None:
            found.content = content_shown_to(request, found.event_type, found.event_id, found.content)
        return found

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the index on event_id."""
        word = search_term.strip().replace("\x00", "")
        return (queryset.filter(event_id=word) if word else queryset), False

    @admin.display(description="stored first")
    def event_page(self, duplicate: MutatedDuplicate) -> SafeString:
        """Where the content that was stored can be seen."""
        return format_html(
            '<a href="{}">{}</a>', reverse("event", args=[duplicate.event_id]), "The event as it was stored"
        )

    @admin.display(description="came later, differing")
    def differing_content(self, duplicate: MutatedDuplicate) -> SafeString | str:
        """The whole differing event."""
        try:
            return json_tree(msgspec.json.decode(duplicate.content))
        except msgspec.DecodeError:
            return duplicate.content


def _link(page: str, name: str) -> SafeString:
    return format_html('<a href="{}" title="{}">{}</a>', reverse(page, args=[name]), name, short_id(name, 8))
