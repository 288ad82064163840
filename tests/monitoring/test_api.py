from datetime import timedelta

import pytest
from django.utils import timezone

from eventhub.access.models import AuditEntry, Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.models import Source

pytestmark = pytest.mark.django_db


def bearer(scope: Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_token('ci', scope)}"}


def test_the_summary_tells_what_the_overview_shows(client, shop, counted, heartbeat):
    now = timezone.now()
    heartbeat(shop, now)
    counted(now - timedelta(seconds=3), received=10, handled=3, failed=1, processing_s=[0.5] * 4)
    answer = client.get("/api/metrics/summary", headers=bearer(Scope.READ)).json()
    assert answer["throughput"]["per_s"] == 2.0
    assert answer["throughput"]["by_type"] == {"order.placed": 2.0}
    assert answer["errors"] == {"ratio": 0.25, "failed": 1, "deliveries": 4}
    assert answer["processing"]["p95_s"] == pytest.approx(0.5, rel=0.02)
    assert answer["dead_letters"] == {"open": 0, "groups": 0, "today": 0}
    assert answer["lag"]["seconds"] is None


def test_sources_are_listed_like_every_list(client, shop):
    answer = client.get("/api/sources", headers=bearer(Scope.READ)).json()
    assert answer["next_cursor"] is None
    assert [(one["name"], one["state"]) for one in answer["items"]] == [("shop", "no worker")]


def test_a_source_is_paused_once_and_the_token_is_named_in_the_audit(client, shop):
    headers = bearer(Scope.OPERATE)
    first = client.post("/api/sources/shop/pause", headers=headers)
    assert first.json() == {"name": "shop", "paused": True, "changed": True}
    assert client.post("/api/sources/shop/pause", headers=headers).json()["changed"] is False
    assert client.post("/api/sources/shop/resume", headers=headers).json()["paused"] is False
    assert not Source.objects.get().paused
    assert [entry.actor for entry in AuditEntry.objects.all()] == ["token ci", "token ci"]


def test_a_token_for_reading_cannot_pause(client, shop):
    answer = client.post("/api/sources/shop/pause", headers=bearer(Scope.READ))
    assert answer.status_code == 403
    assert "--scope operate" in answer.json()["detail"]


def test_without_a_token_there_is_no_answer(client):
    assert client.get("/api/metrics/summary").status_code == 401


def test_an_unknown_source_is_not_found(client):
    assert client.post("/api/sources/nope/pause", headers=bearer(Scope.OPERATE)).status_code == 404


def test_the_documentation_describes_the_summary(client):
    schema = client.get("/api/openapi.json").json()
    assert "/api/metrics/summary" in schema["paths"]
    assert "p95_s" in schema["components"]["schemas"]["ProcessingOut"]["properties"]
