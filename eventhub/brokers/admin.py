import json
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import ProtectedError, QuerySet
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import URLPattern, path, reverse

from eventhub.access import audit
from eventhub.brokers.adapter import BadConfig
from eventhub.brokers.config import describe, example, parse_config
from eventhub.brokers.configs import CONFIGS
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.trying import try_connection


class IndentedJSONField(forms.JSONField):
    """JSON as a person would lay it out."""

    def prepare_value(self, value: Any) -> Any:
        """What stands in the field; what was typed and could not be read stays as it was typed."""
        return value if isinstance(value, InvalidJSONInput | str) else json.dumps(value, indent=2)


class SourceForm(forms.ModelForm[Source]):
    """A source whose config is checked by its kind's rules before it is saved."""

    config = IndentedJSONField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 10, "cols": 80, "spellcheck": "false", "class": "mono"}),
    )

    class Meta:
        model = Source
        fields = ("name", "kind", "role", "enabled", "paused", "config")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        asked = [kind for kind in Kind if kind in CONFIGS]  # nobody adds the one that stands for handlers
        kinds = [{"label": k.label, "keys": describe(k), "example": example(k)} for k in asked]
        kind = cast(forms.TypedChoiceField, self.fields["kind"])
        kind.choices = [("", "---------"), *((k.value, k.label) for k in asked)]
        self.fields["config"].help_text = render_to_string("brokers/_config_help.html", {"kinds": kinds})

    def clean(self) -> dict[str, Any]:
        """Put what is wrong with the config beside the config."""
        cleaned = super().clean() or self.cleaned_data
        kind = cleaned.get("kind")
        if kind and "config" not in self.errors:
            cleaned["config"] = {} if cleaned.get("config") is None else cleaned["config"]
            try:
                parse_config(kind, cleaned["config"])
            except BadConfig as error:
                self.add_error("config", str(error))
        return cleaned


@admin.register(Source)
class SourceAdmin(admin.ModelAdmin[Source]):
    """Taps: what is read from where."""

    form = SourceForm
    list_display = ("name", "kind", "role", "enabled", "paused", "changed_at")
    list_filter = ("kind", "role", "enabled", "paused")
    search_fields = ("name",)
    actions = ("test_connections",)
    change_form_template = "admin/brokers/source/change_form.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Source]:
        """Those that messages come from."""
        return super().get_queryset(request).exclude(kind=Kind.HANDLERS)

    def get_urls(self) -> list[URLPattern]:
        """One address more: the connection test of one source."""
        test = path("<int:pk>/test/", self.admin_site.admin_view(self.test_one), name="brokers_source_test")
        return [test, *super().get_urls()]

    def test_one(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Try the connection and say what happened, on the page of the source."""
        source = get_object_or_404(Source, pk=pk)
        if not self.has_view_permission(request, source):
            raise PermissionDenied
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        self._tell(request, source)
        return HttpResponseRedirect(reverse("admin:brokers_source_change", args=[pk]))

    @admin.action(description="Test the connection", permissions=["view"])
    def test_connections(self, request: HttpRequest, queryset: QuerySet[Source]) -> None:
        """Try each chosen source."""
        for source in queryset:
            self._tell(request, source)

    def save_model(self, request: HttpRequest, obj: Source, form: Any, change: bool) -> None:
        """Save, and note who did it."""
        super().save_model(request, obj, form, change)
        verb = "change" if change else "create"
        audit.record(audit.actor_of(request), verb, f"source {obj.name}", fields=form.changed_data)

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

    def _tell(self, request: HttpRequest, source: Source) -> None:
        report = try_connection(source)
        level = messages.SUCCESS if report.ok else messages.ERROR
        self.message_user(request, f"{source.name}: {report.text}", level)
