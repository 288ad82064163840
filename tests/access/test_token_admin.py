import re

import pytest
from django.urls import reverse
from django.utils import timezone

from eventhub.access.models import ApiToken, AuditEntry, Scope
from eventhub.access.tokens import create_token, find_token

pytestmark = pytest.mark.django_db
LIST = "/admin/access/apitoken/"


def test_a_token_made_in_the_admin_is_shown_once_and_works(admin_client):
    response = admin_client.post(f"{LIST}add/", {"name": "shop", "scope": "ingest"}, follow=True)
    text = re.search(r"evh_[\w-]{20,}", response.content.decode())
    assert text is not None
    assert find_token(text[0]).name == "shop"
    assert ApiToken.objects.count() == 1
    assert text[0] not in admin_client.get(LIST).content.decode()
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.action, entry.target) == ("admin", "create token", "shop")


def test_an_end_that_is_past_is_refused(admin_client):
    form = {"name": "shop", "scope": "ingest", "expires_at_0": "2020-01-01", "expires_at_1": "00:00"}
    response = admin_client.post(f"{LIST}add/", form)
    assert "is past" in response.content.decode()
    assert not ApiToken.objects.exists()


def test_chosen_tokens_are_revoked_and_the_others_stay(admin_client):
    gone, stays = create_token("gone", Scope.READ), create_token("stays", Scope.READ)
    chosen = ApiToken.objects.get(name="gone")
    response = admin_client.post(LIST, {"action": "revoke", "_selected_action": [chosen.pk]}, follow=True)
    assert "Revoked: gone" in response.content.decode()
    assert find_token(gone) is None
    assert find_token(stays) is not None
    assert AuditEntry.objects.get().action == "revoke token"


def test_a_token_and_the_audit_log_cannot_be_changed_or_deleted(admin_client):
    create_token("kept", Scope.READ)
    token = ApiToken.objects.get()
    url = reverse("admin:access_apitoken_change", args=[token.pk])
    assert admin_client.get(url).status_code == 200
    assert admin_client.post(url, {"name": "other"}).status_code == 403
    assert admin_client.post(f"{LIST}{token.pk}/delete/", {"post": "yes"}).status_code == 403
    assert admin_client.get("/admin/access/auditentry/add/").status_code == 403


def test_a_person_who_may_only_look_cannot_revoke(client, django_user_model):
    from django.contrib.auth.models import Permission

    person = django_user_model.objects.create_user("looker", is_staff=True)
    person.user_permissions.add(Permission.objects.get(codename="view_apitoken"))
    client.force_login(person)
    token = create_token("kept", Scope.READ)
    client.post(LIST, {"action": "revoke", "_selected_action": [ApiToken.objects.get().pk]})
    assert find_token(token) is not None


@pytest.mark.parametrize("state", ["active", "expired", "revoked"])
def test_the_list_is_filtered_by_state(admin_client, state):
    now = timezone.now()
    create_token("the-active", Scope.READ)
    create_token("the-expired", Scope.READ, expires_at=now)
    create_token("the-revoked", Scope.READ, expires_at=now)
    ApiToken.objects.filter(name="the-revoked").update(revoked_at=now)
    page = admin_client.get(f"{LIST}?state={state}").content.decode()
    shown = {name for name in ("the-active", "the-expired", "the-revoked") if f">{name}</a>" in page}
    assert shown == {f"the-{state}"}
