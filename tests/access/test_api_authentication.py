"""Who the API lets in, asked over HTTP."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from eventhub.access.models import ApiToken, Scope
from eventhub.access.tokens import create_token

READING = "/api/events?event_id=none"
pytestmark = pytest.mark.django_db


def ask(client, token=None, path=READING):
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return client.get(path, headers=headers)


def send(client, token=None, **headers):
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return client.post("/api/events", data="{}", content_type="application/json", headers=headers)


def test_without_a_token_the_answer_is_401_and_not_the_login_page(client):
    response = ask(client)
    assert response.status_code == 401
    assert response["Content-Type"].startswith("application/json")


@pytest.mark.parametrize("scope", [Scope.READ, Scope.OPERATE])
def test_reading_takes_a_read_or_an_operate_token(client, scope):
    assert ask(client, create_token("t", scope)).status_code == 200


def test_an_ingest_token_reads_nothing_and_the_answer_says_which_scope_is_needed(client):
    response = ask(client, create_token("t", Scope.INGEST))
    assert response.status_code == 403
    assert "--scope read" in response.json()["detail"]


def test_a_read_token_sends_nothing(client):
    response = send(client, create_token("t", Scope.READ))
    assert response.status_code == 403
    assert "--scope ingest" in response.json()["detail"]


def test_revoked_expired_and_invented_tokens_are_refused(client):
    expired = create_token("old", Scope.READ, expires_at=timezone.now() - timedelta(seconds=1))
    revoked = create_token("gone", Scope.READ)
    ApiToken.objects.filter(name="gone").update(revoked_at=timezone.now())
    for token in (expired, revoked, "evh_invented", "", "\N{SNOWMAN}".encode().decode("latin-1")):
        assert ask(client, token).status_code == 401


def test_a_logged_in_person_may_read(admin_client):
    assert ask(admin_client).status_code == 200


def test_what_a_session_changes_needs_a_csrf_token(admin_user):
    client = Client(enforce_csrf_checks=True)
    client.force_login(admin_user)
    assert send(client).status_code == 403


def test_a_token_needs_no_csrf_token():
    client = Client(enforce_csrf_checks=True)
    assert send(client, create_token("t", Scope.INGEST)).status_code not in {401, 403}


def test_the_description_of_the_api_is_public(client):
    assert client.get("/api/openapi.json").status_code == 200
