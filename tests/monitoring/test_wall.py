from datetime import timedelta

import pytest
from django.contrib.auth.models import User

from eventhub.access import audit
from eventhub.access.groups import give_role
from eventhub.access.models import AuditEntry, Role
from monitoring import sharing
from monitoring.live import latest

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_noted(monkeypatch):
    monkeypatch.setattr(latest, "FRESH_FOR_S", 60.0)  # however slow the machine is
    latest.note('{"tiles": [], "sources": []}')
    yield
    latest._noted_at = float("-inf")


def test_a_link_shows_the_wall_to_who_has_no_login_until_it_ends(client, staff):
    made = staff.post("/wall/share", {"for": "1h"}).content.decode()
    key = made.split("?key=")[1].split('"')[0]
    staff.logout()
    assert client.get(f"/wall/?key={key}").status_code == 200
    told = client.get(f"/wall/data?key={key}").json()
    assert set(told) == {"snapshot", "groups", "alerts"}
    ended = sharing.make_key(timedelta(seconds=-1), "ada")
    assert client.get(f"/wall/?key={ended}").status_code == 403
    assert client.get(f"/wall/data?key={ended}").status_code == 403


def test_only_an_operator_makes_a_link_and_it_ends_with_that_role(client, visitor):
    vic = User.objects.get(username="vic")
    give_role(vic, Role.VIEWER, audit.SYSTEM)
    assert visitor.post("/wall/share", {"for": "1h"}).status_code == 403
    assert "Share the wall" not in visitor.get("/alerts/").content.decode()
    give_role(vic, Role.OPERATOR, audit.SYSTEM)
    assert "Share the wall" in visitor.get("/alerts/").content.decode()
    key = visitor.post("/wall/share", {"for": "1h"}).content.decode().split("?key=")[1].split('"')[0]
    visitor.logout()
    assert client.get(f"/wall/?key={key}").status_code == 200
    assert AuditEntry.objects.filter(actor="vic", action="share").count() == 1
    give_role(vic, Role.VIEWER, audit.SYSTEM)
    assert client.get(f"/wall/?key={key}").status_code == 403
    give_role(vic, Role.OPERATOR, audit.SYSTEM)
    User.objects.filter(username="vic").update(is_active=False)
    assert client.get(f"/wall/data?key={key}").status_code == 403


def test_a_link_opens_nothing_but_the_wall_and_a_wrong_one_opens_nothing(client):
    User.objects.create_superuser("ada")
    key = sharing.make_key(timedelta(hours=1), "ada")
    assert client.get(f"/wall/?key={key}").status_code == 200
    for address in ("/", "/lag/", "/live/snapshot", "/metrics", "/api/sources"):
        assert client.get(f"{address}?key={key}").status_code in (302, 401)
    for wrong in ("", "x", key[:-2], key[:-1] + "-"):
        assert client.get("/wall/", {"key": wrong}).status_code == 403


def test_pages_without_a_websocket_ask_for_the_snapshot(staff):
    assert staff.get("/live/snapshot").json() == {"tiles": [], "sources": []}
