from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html

from eventhub.access import admin_people, audit  # noqa: F401 - registers people
from eventhub.access.models import ApiToken, AuditEntry, Scope
from eventhub.access.tokens import create_token, revoke_tokens
from eventhub.pages.read_only import ReadOnly


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnly, admin.ModelAdmin[AuditEntry]):
    """The audit log."""

    list_display = ("at", "actor", "action", "target")
    list_filter = ("action",)
    search_fields = ("actor", "target")
    date_hierarchy = "at"
    show_full_result_count = False


class NewToken(forms.ModelForm[ApiToken]):
    """What a new token is asked for; its text is made up."""

    class Meta:
        model = ApiToken
        fields = ("name", "scope", "sources", "expires_at")
        help_texts = {
            "name": "Who or what will use it, to recognise it by.",
            "expires_at": "In UTC; empty: valid until it is revoked.",
        }

    def clean_expires_at(self) -> Any:
        """A token that has expired already is a slip."""
        expires_at = self.cleaned_data["expires_at"]
        if expires_at and expires_at <= timezone.now():
            raise forms.ValidationError("This moment is past. Choose a later one, or none.")
        return expires_at


class StateFilter(admin.SimpleListFilter):
    """Tokens by whether they still work."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The states."""
        return [(state, state) for state in ("active", "expired", "revoked")]

    def queryset(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> QuerySet[ApiToken]:
        """As `ApiToken.state` says it."""
        is_past = Q(expires_at__lte=timezone.now())
        match self.value():
            case "active":
                return tokens.filter(revoked_at=None).exclude(is_past)
            case "expired":
                return tokens.filter(is_past, revoked_at=None)
            case "revoked":
                return tokens.exclude(revoked_at=None)
        return tokens


@admin.register(ApiToken)
class ApiTokenAdmin(ReadOnly, admin.ModelAdmin[ApiToken]):
    """Scripts' keys to the API: created here (and shown once), revoked here, never changed or deleted."""

    list_display = (
        "name",
        "scope_word",
        "limited_to",
        "prefix_shown",
        "state",
        "created_at",
        "last_used_at",
        "expires_at",
    )
    list_filter = ("scope", StateFilter)
    search_fields = ("name", "prefix")
    fields = (
        "name",
        "scope",
        "limited_to",
        "prefix_shown",
        "state",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    form = NewToken
    actions = ("revoke",)

    @admin.display(description="token", ordering="prefix")
    def prefix_shown(self, token: ApiToken) -> str:
        """Its first characters."""
        return f"{token.prefix}…"

    @admin.display(description="scope", ordering="scope")
    def scope_word(self, token: ApiToken) -> str:
        """Without its explanation."""
        return token.scope

    @admin.display(description="sources")
    def limited_to(self, token: ApiToken) -> str:
        """Their names, or all."""
        return ", ".join(token.sources) or "all"

    @admin.display(description="state")
    def state(self, token: ApiToken) -> str:
        """In a word."""
        return token.state

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Who may add tokens by Django's permissions."""
        return super(ReadOnly, self).has_add_permission(request)

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """Who may change tokens by Django's permissions: revoking is the only change."""
        return super(ReadOnly, self).has_change_permission(request)

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        """A new one is asked for less than an old one shows."""
        return self.fields if obj else NewToken.Meta.fields

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """Create the token and show its text, this once."""
        text = create_token(obj.name, Scope(obj.scope), obj.expires_at, obj.sources)
        created = ApiToken.objects.get(prefix=text[:10], name=obj.name, revoked_at=None)
        obj.__dict__.update(created.__dict__)
        audit.record(audit.actor_of(request), "create token", obj.name, scope=obj.scope, sources=obj.sources)
        messages.warning(
            request, format_html("Copy the token now; it is shown only this once: <code>{}</code>", text)
        )

    @admin.action(description="Revoke the selected tokens", permissions=["revoke"])
    def revoke(self, request: HttpRequest, tokens: QuerySet[ApiToken]) -> None:
        """End their validity; scripts that use them get 401 from now on."""
        revoked = revoke_tokens(tokens, audit.actor_of(request))
        if revoked:
            names = ", ".join(token.name for token in revoked)
            messages.success(request, f"Revoked: {names}. Requests with them are refused from now on.")
        else:
            messages.info(request, "None of them was active: nothing to revoke.")
