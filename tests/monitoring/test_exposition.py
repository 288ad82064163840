import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.models import Kind
from monitoring.exposition import Family, families, render
from monitoring.lag.models import WatchedBroker, WatchedGroup

pytestmark = pytest.mark.django_db

SAMPLE = re.compile(
    r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\.)*",?)*\})? (-?[0-9.e+-]+|inf|nan)$'
)


@pytest.fixture(autouse=True)
def nothing_carried():
    cache.delete("metrics:base")
    yield
    cache.delete("metrics:base")


def bearer(scope: Scope) -> dict[str, str]:
    return {"Authorization": f"Bearer {create_token('p', scope)}"}


def test_it_wants_a_token_that_may_read(client):
    assert client.get("/metrics").status_code == 401
    assert client.get("/metrics", headers=bearer(Scope.INGEST)).status_code == 401
    assert client.get("/metrics", headers=bearer(Scope.READ)).status_code == 200


def test_every_line_is_a_comment_or_a_sample_whatever_a_type_is_called(client, counted, shop):
    counted(timezone.now(), 'odd"type\\with\nlines', received=3, origin_id=shop.pk, processing_s=[0.1])
    answer = client.get("/metrics", headers=bearer(Scope.READ))
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = answer.content.decode().splitlines()
    assert [line for line in lines if not line.startswith("# ") and not SAMPLE.match(line)] == []
    assert "# TYPE eventhub_events_total counter" in lines
    assert r'eventhub_events_total{event_type="odd\"type\\with\nlines",source="shop"} 3.0' in lines


def test_openmetrics_is_given_to_who_asks_for_it(client):
    headers = bearer(Scope.READ) | {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = client.get("/metrics", headers=headers)
    text = answer.content.decode()
    assert answer["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    assert text.endswith("# EOF\n")
    assert "# TYPE eventhub_events counter" in text


def test_counters_are_carried_over_the_hours_and_never_fall(counted):
    now = timezone.now()
    for hours in (0, 1, 3, 30):
        counted(now - timedelta(hours=hours), received=10)

    def received(at) -> float:
        (family,) = [one for one in families(at) if one.name == "eventhub_events"]
        return sum(value for _, value in family.samples)

    assert received(now) == 40
    assert received(now) == 40  # from what was carried
    counted(now, received=2)
    assert received(now + timedelta(hours=5)) == 42
    assert received(now + timedelta(hours=50)) == 42


def test_what_nobody_could_tell_has_no_sample():
    now = timezone.now()
    broker = WatchedBroker.objects.create(kind=Kind.KAFKA, name="k:9092", asked_at=now)
    for name, messages in (("known", 0), ("unknown", None)):
        WatchedGroup.objects.create(
            broker=broker, name=name, looked_at=now, since=now, messages=messages, status="unknown"
        )
    (family,) = [one for one in families(now) if one.name == "eventhub_group_lag_messages"]
    assert [labels["group"] for labels, _ in family.samples] == ["known"]


def test_a_family_is_rendered_as_its_format_says():
    family = Family("x", "counter", "Two\nlines", [({"a": "b"}, 1.0)])
    assert (
        render([family], openmetrics=False)
        == '# HELP x_total Two\\nlines\n# TYPE x_total counter\nx_total{a="b"} 1.0\n'
    )
    assert render([family], openmetrics=True).startswith("# HELP x Two")
