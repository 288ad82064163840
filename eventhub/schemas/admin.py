"""Event types and the schemas of their versions, managed by people."""

from typing import Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.contrib.admin.options import InlineModelAdmin
from django.db import models
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from eventhub.access import audit, roles
from eventhub.access.models import Role
from eventhub.schemas.forms import SchemaForm
from eventhub.schemas.models import (
    EventType,
    PersonalField,
    PersonalKey,
    SchemaSettings,
    SchemaStatus,
    SchemaVersion,
)
from eventhub.schemas.personal.sealing import known_keys
from eventhub.schemas.publishing import breaches_of, settle_default


class SchemaVersionInline(admin.TabularInline[SchemaVersion, EventType]):
    """A type's versions, each leading to its own form."""

    model = SchemaVersion
    fields = ("version", "status", "note", "changed_at")
    readonly_fields = fields
    extra = 0
    show_change_link = True
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A version is written in its own form, where there is room."""
        return False


class OwnerFilter(admin.SimpleListFilter):
    """By who owns a type; a type of nobody is called so."""

    title = "owner"
    parameter_name = "owner"
    NOBODY = "-"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The owners there are."""
        owners = EventType.objects.order_by("owner").values_list("owner", flat=True).distinct()
        return [(owner or self.NOBODY, owner or "nobody") for owner in owners]

    def queryset(self, request: HttpRequest, types: QuerySet[EventType]) -> QuerySet[EventType]:
        """Those of the chosen one."""
        chosen = self.value()
        return types if chosen is None else types.filter(owner="" if chosen == self.NOBODY else chosen)


class PersonalFieldInline(admin.TabularInline[PersonalField, EventType]):
    """Which fields tell of a person."""

    model = PersonalField
    fields = ("path", "treatment")
    extra = 0


@admin.register(PersonalKey)
class PersonalKeyAdmin(admin.ModelAdmin[PersonalKey]):
    """Keys are made by ingest. Deleting one makes a month's encrypted fields unreadable, for good."""

    list_display = ("name", "created_at")
    fields = readonly_fields = ("name", "created_at")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Ingest makes them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """There is nothing in one to change."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By administrators: it cannot be taken back."""
        return roles.may(request, Role.ADMINISTRATOR)

    def delete_queryset(self, request: HttpRequest, chosen: QuerySet[PersonalKey]) -> None:
        """One by one, so that each is in the audit log."""
        for key in chosen:
            self.delete_model(request, key)

    def delete_model(self, request: HttpRequest, obj: PersonalKey) -> None:
        """Nobody reads what it sealed any more."""
        super().delete_model(request, obj)
        known_keys.forget()
        audit.record(audit.actor_of(request), "delete key of personal data", obj.name)


@admin.register(SchemaSettings)
class SchemaSettingsAdmin(admin.ModelAdmin[SchemaSettings]):
    """What holds for every type that says nothing else."""

    fields = ("validation", "compatibility")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Once."""
        return super().has_add_permission(request) and not SchemaSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It is changed, not deleted."""
        return False

    def save_model(self, request: HttpRequest, obj: SchemaSettings, form: Any, change: bool) -> None:
        """There is one row."""
        obj.pk = 1
        super().save_model(request, obj, form, change)


@admin.register(EventType)
class EventTypeAdmin(admin.ModelAdmin[EventType]):
    """Types: what they mean, who owns them, and how strictly their events are checked."""

    list_display = ("name", "owner", "validation", "active_versions", "last_seen_at", "page_link")
    list_filter = ("validation", "lifecycle", "kind", OwnerFilter)
    search_fields = ("name", "owner", "description")
    fields = (
        "name",
        "description",
        "owner",
        "docs_url",
        ("lifecycle", "kind", "style"),
        ("validation", "compatibility", "default_version"),
        "first_seen_at",
        "last_seen_at",
        "page_link",
    )
    readonly_fields = ("first_seen_at", "last_seen_at", "page_link")
    inlines: ClassVar[tuple[type[InlineModelAdmin[Any, Any]], ...]] = (
        SchemaVersionInline,
        PersonalFieldInline,
    )
    formfield_overrides = {models.URLField: {"assume_scheme": "https"}}
    ordering = ("name",)

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> Any:
        """The name of a type that was seen is its producers', not ours."""
        return ("name", *self.readonly_fields) if obj and obj.first_seen_at else self.readonly_fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[EventType]:
        """With the number of active versions, for the list."""
        return (
            super()
            .get_queryset(request)
            .annotate(active=Count("versions", filter=Q(versions__status=SchemaStatus.ACTIVE)))
        )

    @admin.display(description="active schemas", ordering="active")
    def active_versions(self, event_type: EventType) -> int:
        """How many versions are checked."""
        return int(getattr(event_type, "active", 0))

    @admin.display(description="traffic")
    def page_link(self, event_type: EventType) -> SafeString | str:
        """Its page."""
        if not event_type.name:
            return "–"
        return format_html(
            '<a href="{}">Its events and rates</a>', reverse("event-type", args=[event_type.name])
        )


@admin.register(SchemaVersion)
class SchemaVersionAdmin(admin.ModelAdmin[SchemaVersion]):
    """Schemas: written as a draft, checked once active, kept for old events when retired."""

    form = SchemaForm
    list_display = ("event_type", "version", "status", "note", "changed_at")
    list_filter = ("status",)
    list_select_related = ("event_type",)
    search_fields = ("event_type__name", "note")
    autocomplete_fields = ("event_type",)
    date_hierarchy = "changed_at"
    actions = ("activate", "retire")

    def get_readonly_fields(self, request: HttpRequest, obj: SchemaVersion | None = None) -> Any:
        """The schema of a published version stays as it is: events were written by it."""
        if obj and obj.status != SchemaStatus.DRAFT:
            return ("event_type", "version", "schema", "editor")
        return ("editor",)

    def get_fields(self, request: HttpRequest, obj: SchemaVersion | None = None) -> Any:
        """Publishing in spite of what breaks is offered where a version may be published."""
        fields = ["event_type", "version", "editor", "status", "note", "upcast", "schema"]
        return fields if obj and obj.status == SchemaStatus.ACTIVE else [*fields, "in_spite"]

    @admin.display(description="editor")
    def editor(self, version: SchemaVersion) -> SafeString | str:
        """Where differences, breaches and impact stand beside what is typed."""
        if not version.pk:
            return "After saving: with the differences, what would break, and how many events would fail."
        name = version.event_type.name
        if version.status != SchemaStatus.DRAFT:
            return format_html('<a href="{}">Its event type</a>', reverse("event-type", args=[name]))
        address = f"{reverse('schema-edit', args=[name])}?{urlencode({'version': version.version})}"
        return format_html('<a href="{}">With differences, breaches and impact beside it</a>', address)

    def save_model(self, request: HttpRequest, obj: SchemaVersion, form: Any, change: bool) -> None:
        """Publishing in spite of breaches is in the audit log."""
        super().save_model(request, obj, form, change)
        settle_default(obj)
        if "status" in form.changed_data and obj.status == SchemaStatus.ACTIVE:
            broken = form.cleaned_data.get("in_spite") and breaches_of(obj.event_type, obj.schema, obj.pk)
            about = f"{obj.event_type.name} v{obj.version}"
            audit.record(audit.actor_of(request), "publish schema", about, breaks=broken or [])

    @admin.action(description="Activate: check events of these versions", permissions=["change"])
    def activate(self, request: HttpRequest, chosen: QuerySet[SchemaVersion]) -> None:
        """From now on their events are checked; those that break their type's promise stay drafts."""
        fine = []
        for version in chosen.select_related("event_type").order_by("number"):
            if breaches := breaches_of(version.event_type, version.schema, version.pk):
                self.message_user(
                    request,
                    f"{version} stays as it is: {breaches[0]} Open it to publish it in spite of that.",
                    messages.ERROR,
                )
                continue
            fine.append(version)
            self._set(request, [version], SchemaStatus.ACTIVE)
            settle_default(version)
        if fine:
            self.message_user(request, f"{len(fine)} now active.")

    @admin.action(description="Retire: keep, but check no longer", permissions=["change"])
    def retire(self, request: HttpRequest, chosen: QuerySet[SchemaVersion]) -> None:
        """Their events are no longer checked."""
        self._set(request, list(chosen), SchemaStatus.RETIRED)
        self.message_user(request, f"{len(chosen)} now retired.")

    def _set(self, request: HttpRequest, chosen: list[SchemaVersion], status: SchemaStatus) -> None:
        # One by one: `changed_at` tells the workers to load them anew, and each leaves an entry in the log.
        for version in chosen:
            version.status = status
            version.save(update_fields=["status", "changed_at"])
            self.log_change(request, version, f"{status.label} by action")
