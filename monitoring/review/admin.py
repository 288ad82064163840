"""What the team teaches the review: exceptions from its rules, and words of its own."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest

from monitoring.review.models import Exemption, Word
from monitoring.review.rules import RULES


class ExemptionForm(forms.ModelForm[Exemption]):
    """Rules are chosen by their titles."""

    rule = forms.ChoiceField(
        required=False, choices=[("", "every rule"), *((rule.key, rule.title) for rule in RULES)]
    )

    class Meta:
        model = Exemption
        fields = ("rule", "pattern", "service", "reason")


@admin.register(Exemption)
class ExemptionAdmin(admin.ModelAdmin[Exemption]):
    """What rules leave alone; a finding that is covered goes with the next run."""

    form = ExemptionForm
    list_display = ("pattern", "rule", "service", "reason", "added_by", "added_at")
    list_filter = ("rule",)
    search_fields = ("pattern", "service", "reason")

    def save_model(self, request: HttpRequest, obj: Exemption, form: Any, change: bool) -> None:
        """Note who added it."""
        if not change and request.user.pk:
            obj.added_by_id = request.user.pk
        super().save_model(request, obj, form, change)


@admin.register(Word)
class WordAdmin(admin.ModelAdmin[Word]):
    """Words that the rules about names would read wrongly."""

    list_display = ("word", "kind", "note")
    list_filter = ("kind",)
    search_fields = ("word",)

    def save_model(self, request: HttpRequest, obj: Word, form: Any, change: bool) -> None:
        """Names are compared in small letters."""
        obj.word = obj.word.strip().lower()
        super().save_model(request, obj, form, change)
