"""Against a real OpenID Connect provider on loopback: discovery, code flow with PKCE, signed tokens."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import oidc_provider_mock
import pytest
import requests
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from eventhub.access.groups import given_role
from eventhub.access.models import AuditEntry, Identity, Role
from tests.access.people import browser

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with oidc_provider_mock.run_server_in_thread() as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def sign_on(provider: str, settings: Any) -> str:
    cache.clear()
    settings.OIDC_ISSUER = provider
    settings.OIDC_RP_CLIENT_ID = "eventhub"
    settings.OIDC_RP_CLIENT_SECRET = "known-to-both"
    settings.OIDC_ROLES = {"hub-ops": "operator", "hub-admins": "administrator"}
    settings.AUTHENTICATION_BACKENDS = [
        *settings.AUTHENTICATION_BACKENDS,
        "eventhub.access.single_sign_on.SignOnBackend",
    ]
    return provider


def known(provider: str, sub: str, **claims: Any) -> None:
    requests.put(f"{provider}/users/{sub}", json=claims, timeout=10).raise_for_status()


def come_in(client: Client, sub: str, come_from: str = "/login/sso/") -> Any:
    """What a person's browser does: to the provider, sign in there, and back."""
    sent = client.get(come_from)
    assert sent.status_code == 302, sent.content
    back = requests.post(sent["Location"], data={"sub": sub}, allow_redirects=False, timeout=10)
    address = urlsplit(back.headers["Location"])
    return client.get(f"{address.path}?{address.query}")


def test_the_login_offers_it_when_it_is_configured(sign_on: str, settings: Any) -> None:
    assert "/login/sso/" in browser().get("/login/").content.decode()
    settings.OIDC_ISSUER = ""
    assert "/login/sso/" not in browser().get("/login/").content.decode()
    assert browser().get("/login/sso/").status_code == 404


def test_a_new_person_gets_an_account_and_the_role_of_their_groups(sign_on: str) -> None:
    known(sign_on, "s-1", preferred_username="ann", email="ann@example.com", groups=["hub-ops", "else"])
    client = browser()
    done = come_in(client, "s-1", "/login/sso/?next=/traces/")
    assert (done.status_code, done["Location"]) == (302, "/traces/")
    assert client.get("/traces/").status_code == 200
    ann = User.objects.get(username="ann")
    assert ann.email == "ann@example.com"
    assert not ann.has_usable_password()
    assert given_role(ann) == Role.OPERATOR
    assert Identity.objects.get(user=ann).subject == "s-1"
    assert AuditEntry.objects.filter(target="user ann", action="give role").exists()


def test_groups_are_looked_at_again_at_every_sign_in(sign_on: str) -> None:
    known(sign_on, "s-2", preferred_username="bob", groups=["hub-admins"])
    come_in(browser(), "s-2")
    assert given_role(User.objects.get(username="bob")) == Role.ADMINISTRATOR
    known(sign_on, "s-2", preferred_username="bob", groups=[])
    come_in(browser(), "s-2")
    assert given_role(User.objects.get(username="bob")) is None
    assert User.objects.count() == 1


def test_a_local_account_of_the_same_name_or_address_is_not_taken_over(sign_on: str) -> None:
    User.objects.create_superuser("admin", email="root@example.com", password="right-one-1")
    known(sign_on, "s-3", preferred_username="admin", email="root@example.com")
    client = browser()
    done = come_in(client, "s-3")
    assert done["Location"] == "/login/?sso=refused"
    assert "did not let you in" in client.get(done["Location"]).content.decode()
    assert client.get("/traces/").status_code == 302
    assert not Identity.objects.exists()
    assert client.post("/login/", {"username": "admin", "password": "right-one-1"}).status_code == 302


def test_who_has_no_role_is_refused_where_one_is_needed(sign_on: str, settings: Any) -> None:
    settings.OIDC_ROLES_NEEDED = True
    known(sign_on, "s-4", preferred_username="eve", groups=["others"])
    assert come_in(browser(), "s-4")["Location"] == "/login/?sso=refused"
    assert not User.objects.exists()


def test_an_account_that_is_switched_off_stays_out(sign_on: str) -> None:
    known(sign_on, "s-5", preferred_username="carl", groups=["hub-ops"])
    come_in(browser(), "s-5")
    User.objects.update(is_active=False)
    client = browser()
    assert come_in(client, "s-5")["Location"] == "/login/?sso=refused"
    assert client.get("/traces/").status_code == 302


def test_a_state_that_this_browser_was_not_given_is_refused(sign_on: str) -> None:
    client = browser()
    assert client.get("/login/sso/callback/?code=x&state=y")["Location"] == "/login/?sso=refused"
    client.get("/login/sso/")
    assert client.get("/login/sso/callback/?code=x&state=y").status_code == 400


def test_an_id_token_for_another_client_is_refused(sign_on: str, settings: Any) -> None:
    known(sign_on, "s-6", preferred_username="dora")
    client = browser()
    sent = client.get("/login/sso/")
    back = requests.post(sent["Location"], data={"sub": "s-6"}, allow_redirects=False, timeout=10)
    address = urlsplit(back.headers["Location"])
    settings.OIDC_RP_CLIENT_ID = "somebody-else"
    answer = client.get(f"{address.path}?{address.query}")
    assert answer.status_code in (302, 400)
    assert not User.objects.exists()


def test_a_provider_that_does_not_answer_is_said_and_local_accounts_go_on(
    sign_on: str, settings: Any
) -> None:
    settings.OIDC_ISSUER = "http://127.0.0.1:1"
    User.objects.create_user("ann", password="right-one-1")
    client = browser()
    assert client.get("/login/sso/")["Location"] == "/login/?sso=away"
    assert "does not answer" in client.get("/login/?sso=away").content.decode()
    assert client.post("/login/", {"username": "ann", "password": "right-one-1"}).status_code == 302
