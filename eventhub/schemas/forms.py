"""The form of a schema's version in the admin."""

from typing import Any

import msgspec
from django import forms

from eventhub.schemas.checking import flaws_of
from eventhub.schemas.models import SchemaStatus, SchemaVersion
from eventhub.schemas.publishing import breaches_of
from eventhub.schemas.upcasting.catalogue import step_of

MOST_BREACHES = 20


class IndentedJson(forms.JSONField):
    """JSON shown over several lines, so that a person can read and change it."""

    def prepare_value(self, value: Any) -> Any:
        """Indented, unless it is what was typed."""
        text = super().prepare_value(value)
        try:
            return msgspec.json.format(text.encode(), indent=2).decode()
        except (AttributeError, msgspec.DecodeError):
            return text


class SchemaForm(forms.ModelForm[SchemaVersion]):
    """Refuses what is no JSON Schema, and says where it is wrong."""

    schema = IndentedJson(
        widget=forms.Textarea(
            attrs={"rows": 24, "cols": 90, "spellcheck": "false", "class": "vLargeTextField mono"}
        ),
        help_text="JSON Schema 2020-12 of the event's data. References must stay inside ($defs).",
        initial={"type": "object", "required": [], "properties": {}},
    )
    in_spite = forms.BooleanField(
        required=False,
        label="Publish in spite of what breaks",
        help_text="When it is published although it breaks what its type promises; the audit log says so.",
    )

    class Meta:
        model = SchemaVersion
        fields = ("event_type", "version", "status", "note", "upcast", "schema")
        widgets = {"note": forms.Textarea(attrs={"rows": 2, "class": "vLargeTextField"})}

    def clean_status(self) -> Any:
        """What was published does not become a draft again: events were written by it."""
        status = self.cleaned_data["status"]
        if status == SchemaStatus.DRAFT and self.initial.get("status", status) != SchemaStatus.DRAFT:
            raise forms.ValidationError(
                "A published version does not become a draft again. Retire it instead."
            )
        return status

    def clean_upcast(self) -> Any:
        """The upcast, if it is one."""
        upcast = self.cleaned_data["upcast"]
        try:
            step_of("", upcast)
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error
        return upcast

    def clean_schema(self) -> Any:
        """The schema, if it is one."""
        schema = self.cleaned_data["schema"]
        if flaws := flaws_of(schema):
            raise forms.ValidationError([f"This is not a usable JSON Schema. {flaw}" for flaw in flaws])
        return schema

    def clean(self) -> dict[str, Any] | None:
        """What is published breaks no promise, or somebody says that it may."""
        cleaned = super().clean() or self.cleaned_data
        schema = cleaned.get("schema", self.instance.schema)
        event_type = cleaned.get("event_type") or (self.instance.event_type if self.instance.pk else None)
        is_published = cleaned.get("status") == SchemaStatus.ACTIVE != self.initial.get("status")
        if not is_published or event_type is None or schema is None or cleaned.get("in_spite"):
            return cleaned
        if breaches := breaches_of(event_type, schema, self.instance.pk):
            self.add_error("status", ["It breaks what the type promises:", *breaches[:MOST_BREACHES]])
        return cleaned
