"""A source is slowed to its limits: what is not read yet waits with the broker, and nothing is lost."""

import json
import time

import pytest
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.models import Kind, Source, SourceStatus
from eventhub.events.models import Event
from eventhub.ingest.quota import Limits, Quota, limits_of
from eventhub.ingest.supervisor import Supervisor

EVENT = {"event_type": "a", "timestamp": "2026-11-24T10:00:00Z"}


@given(
    st.floats(0.5, 10_000),
    st.floats(10, 1e7),
    st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 10_000_000)), min_size=1, max_size=30),
)
def test_however_batches_come_the_limits_are_kept_over_the_whole(events_per_s, bytes_per_s, batches):
    quota, now = Quota(Limits(events_per_s, bytes_per_s)), 1_000.0
    for count, size in batches:
        quota.take(count, size if count else 0, now)
        now += quota.wait_s(now)
        assert quota.wait_s(now) <= 1e-6 * now
    events = sum(count for count, _ in batches)
    size = sum(size for count, size in batches if count)
    assert events <= events_per_s * (now - 1_000) * (1 + 1e-6) + 1e-3
    assert size <= bytes_per_s * (now - 1_000) * (1 + 1e-6) + 1


@given(st.integers(1, 5_000), st.floats(0.1, 1e6), st.floats(1, 1e9), st.integers(1, 5_000_000))
def test_it_never_asks_for_nothing_nor_for_more_than_a_batch(batch, events_per_s, bytes_per_s, size):
    quota = Quota(Limits(events_per_s, bytes_per_s))
    quota.take(1, size, 0.0)
    assert 1 <= quota.most(batch) <= batch


def test_without_limits_nothing_waits():
    quota = Quota()
    quota.take(10**9, 10**12)
    assert quota.wait_s() == 0
    assert quota.most(5_000) == 5_000


def test_workers_share_the_limits_of_a_source():
    source = Source(max_events_per_s=100, max_bytes_per_s=1_000)
    assert limits_of(source, 4) == Limits(25, 250)
    assert limits_of(Source(), 4) == Limits()


def fill(client, stream: str, start: int, count: int) -> None:
    with client.pipeline(transaction=False) as pipeline:
        for n in range(start, start + count):
            pipeline.xadd(stream, {"body": json.dumps(EVENT | {"event_id": f"e-{n}", "data": n})})
        pipeline.execute()


def test_a_source_with_a_limit_is_slowed_says_so_and_loses_nothing_when_it_is_lifted(source, client):
    stream = source.config["streams"][0]
    fill(client, stream, 0, 2_000)
    Source.objects.filter(pk=source.pk).update(max_events_per_s=50)
    supervisor = Supervisor("ingest@limited")
    began = time.monotonic()
    supervisor.start()
    try:
        deadline = began + 60
        while not SourceStatus.objects.filter(source=source, slowed_at__isnull=False).exists():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        stored = Event.objects.count()
        # A busy machine reads less in that time, never more.
        assert stored <= 50 * (time.monotonic() - began + 1)
        Source.objects.filter(pk=source.pk).update(max_events_per_s=None)
        while Event.objects.count() < 2_000:
            assert time.monotonic() < deadline, Event.objects.count()
            time.sleep(0.1)
    finally:
        supervisor.stop()
    assert Event.objects.count() == 2_000


@pytest.mark.django_db(transaction=True)
def test_over_http_the_sender_is_told_when_to_come_again_and_nothing_of_the_request_was_stored():
    client = Client(headers={"authorization": f"Bearer {create_token('shop', Scope.INGEST)}"})
    Source.objects.create(name="http", kind=Kind.HTTP, max_events_per_s=1)

    def send(start: int, count: int):
        body = json.dumps([EVENT | {"event_id": f"e-{n}"} for n in range(start, start + count)])
        return client.post("/api/events", body, content_type="application/json")

    assert send(0, 30).status_code == 202  # alone in its window: it would never pass otherwise
    for _ in range(3):  # one of them may fall into the next window, and is alone there
        answer = send(30, 30)
        if answer.status_code == 429:
            break
        send(60, 1)
    assert answer.status_code == 429
    assert 1 <= int(answer["Retry-After"]) <= 10
    assert "1 events a second" in answer.json()["detail"]
