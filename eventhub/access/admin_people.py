"""People in the admin: their role for everything, and their roles for single sources and teams."""

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import UserChangeForm
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest

from eventhub.access import audit
from eventhub.access.groups import give_role, given_role
from eventhub.access.models import Grant, Identity, Role
from eventhub.access.roles import role_of


class PersonForm(UserChangeForm[User]):
    """A person, with the role that is a group underneath."""

    role = forms.ChoiceField(
        choices=[("", "none: what accounts without a role may do (DEFAULT_ROLE)"), *Role.choices],
        required=False,
        help_text="For every source and every team. Superusers are administrators, whatever stands here.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        held = given_role(self.instance) if self.instance.pk else None
        self.fields["role"].initial = held.value if held else ""


class GrantInline(admin.TabularInline[Grant, User]):
    """Roles for one source or one team."""

    model = Grant
    extra = 0


class IdentityInline(admin.TabularInline[Identity, User]):
    """Whom single sign-on knows a person as."""

    model = Identity
    extra = 0


admin.site.unregister(User)


@admin.register(User)
class PersonAdmin(UserAdmin[User]):
    """People and what they may do."""

    form = PersonForm
    list_display = ("username", "email", "role_shown", "is_active", "last_login")
    list_filter = ("groups", "is_active", "is_superuser")
    filter_horizontal = ("user_permissions",)
    inlines = (GrantInline, IdentityInline)
    fieldsets: ClassVar[Any] = (
        (None, {"fields": ("username", "password", "is_active")}),
        ("Role", {"fields": ("role",)}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        (
            "Django's own",
            {"classes": ("collapse",), "fields": ("is_superuser", "is_staff", "user_permissions")},
        ),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )

    @admin.display(description="role")
    def role_shown(self, user: User) -> str:
        """The one that counts."""
        role = role_of(user)
        return role.value if role else "none"

    def get_inlines(self, request: HttpRequest, obj: User | None) -> Any:
        """A person who is being added has no grants yet."""
        return self.inlines if obj else ()

    @transaction.atomic
    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save, and note what of a person's rights was changed."""
        super().save_model(request, obj, form, change)
        actor = audit.actor_of(request)
        told = [name for name in form.changed_data if name not in ("role", "password1", "password2")]
        if told or not change:
            rights = {name: getattr(obj, name) for name in ("is_active", "is_staff", "is_superuser")}
            audit.record(actor, "change" if change else "add", f"user {obj.username}", changed=told, **rights)
        if change:
            role = form.cleaned_data.get("role")
            give_role(obj, Role(role) if role else None, actor)

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        """Save the grants; each that came or went is noted."""
        super().save_formset(request, form, formset, change)
        actor, user = audit.actor_of(request), form.instance
        changed = [grant for grant, _fields in getattr(formset, "changed_objects", [])]
        for verb, grants in (
            ("grant", [*getattr(formset, "new_objects", []), *changed]),
            ("take grant", getattr(formset, "deleted_objects", [])),
        ):
            for grant in grants:
                audit.record(actor, verb, f"user {user.username}", what=str(grant))

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        """Delete an account; what it did stays in the audit log under its name."""
        audit.record(audit.actor_of(request), "delete", f"user {obj.username}")
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """As `delete_model`, for each."""
        for user in queryset:
            self.delete_model(request, user)
