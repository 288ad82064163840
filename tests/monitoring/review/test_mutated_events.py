"""The same id with other content: named with what changed."""

import json
from datetime import timedelta

import pytest

from eventhub.brokers.models import Source
from eventhub.events.message import Message
from eventhub.ingest.pipeline import Pipeline
from monitoring.review import running
from monitoring.review.models import Finding
from monitoring.review.rules.mutated_events import differing

pytestmark = pytest.mark.django_db(transaction=True)


def message(number, data, time="2026-03-04T12:00:00Z"):
    body = {
        "event_id": "e-1",
        "event_type": "order.placed",
        "timestamp": time,
        "data": data,
        "metadata": {"source": "shop"},
    }
    return Message(json.dumps(body).encode(), "orders", f"{number}-0", f"k{number}")


def test_a_changed_event_is_found_on_its_service_with_the_path_that_changed():
    pipeline = Pipeline(Source.objects.create(name="shop", kind="redis", config={"streams": ["orders"]}))
    for number, data in enumerate(({"total": "1.00", "note": "a"}, {"total": "2.00", "note": "a"})):
        pipeline.write(pipeline.prepare([message(number, data)]))
    running.run(settle_s=0)
    finding = Finding.objects.get(rule="mutated-events")
    assert (finding.service, finding.subject, finding.n) == ("shop", "order.placed", 1)
    assert "data.total" in finding.detail
    assert finding.evidence[0] == {"label": "e-1", "href": "/events/e-1/", "words": "changed: data.total"}


def test_what_is_long_past_is_gone_and_returns_when_it_happens_again():
    pipeline = Pipeline(Source.objects.create(name="shop", kind="redis", config={"streams": ["orders"]}))
    for number in range(2):
        pipeline.write(pipeline.prepare([message(number, {"total": number})]))
    running.run(settle_s=0)
    finding = Finding.objects.get()
    running.judge(now=finding.last_at + timedelta(days=2))
    finding.refresh_from_db()
    assert finding.state == "gone"
    pipeline.write(pipeline.prepare([message(3, {"total": 3})]))
    running.run(settle_s=0)
    finding.refresh_from_db()
    assert (finding.state, finding.times_returned) == ("open", 1)
    assert [change.what for change in finding.changes.all()] == ["returned", "gone", "found"]


def test_the_paths_that_differ():
    assert differing({"a": {"b": 1, "c": [1]}, "d": 2}, {"a": {"b": 2, "c": [1, 2]}, "e": 1}) == [
        "data.a.b",
        "data.a.c",
        "data.d",
        "data.e",
    ]
    assert differing({"a": 1}, {"a": 1}) == []
