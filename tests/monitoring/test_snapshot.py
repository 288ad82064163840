import json
from datetime import timedelta

import pytest
from django.utils import timezone

from eventhub.brokers.models import Kind, Source, State
from eventhub.schemas.models import EventType
from monitoring import snapshot
from monitoring.message import encode
from monitoring.models import LagProbe, LagSample
from monitoring.sources import judge
from tests.monitoring.conftest import NOON

pytestmark = pytest.mark.django_db
# Told at five seconds past noon: the newest whole second that can be told began at 12:00:03.
NOW = NOON + timedelta(seconds=5, milliseconds=200)


@pytest.fixture(autouse=True)
def nothing_remembered():
    snapshot._yesterday.cache_clear()
    snapshot._dead_letters_by_hour.cache_clear()


def test_throughput_is_smoothed_over_the_last_whole_seconds(counted):
    for second in range(-1, 4):
        counted(NOON + timedelta(seconds=second), received=10)
    counted(NOON + timedelta(seconds=4), received=999)  # still being written
    now = snapshot.take(NOW)
    assert now.throughput.per_s == 10
    assert now.throughput.spark[-5:] == [10] * 5
    assert len(now.throughput.spark) == 90
    assert now.type_rates == {"order.placed": 10}


def test_the_last_seconds_are_told_in_full_by_type(counted):
    counted(NOON + timedelta(seconds=3), received=4, failed=2, dead_letters=1)
    counted(NOON + timedelta(seconds=5), received=7)
    recent = snapshot.take(NOW).recent
    assert recent.start == int(NOON.timestamp()) - 11
    assert [(one.name, one.counts[-1], len(one.counts)) for one in recent.types] == [("order.placed", 7, 17)]
    assert [one.counts[-3] for one in recent.types] == [4]
    assert (recent.failed[-3], recent.dead_letters[-3]) == (2, 1)


def test_the_second_that_runs_is_told_as_far_as_it_went(counted):
    counted(NOON + timedelta(seconds=5), received=7)
    recent = snapshot.take(NOW).recent
    assert recent.until == NOW.timestamp()
    assert [one.counts[-1] for one in recent.types] == [7]


def test_errors_and_processing_times_are_of_the_last_minute(counted):
    counted(NOON - timedelta(seconds=70), failed=50, processing_s=[60.0] * 50)
    counted(NOON - timedelta(seconds=10), handled=98, failed=2, processing_s=[0.1] * 99 + [5.0])
    now = snapshot.take(NOW)
    assert (now.errors.ratio, now.errors.failed, now.errors.deliveries) == (0.02, 2, 100)
    assert now.processing.p50_s == pytest.approx(0.1, rel=0.02)
    assert now.processing.p95_s == pytest.approx(0.1, rel=0.02)


def test_what_nobody_reported_is_unknown_and_not_zero():
    now = snapshot.take(NOW)
    assert (now.errors.ratio, now.processing.p95_s, now.lag.seconds, now.lag.messages) == (None,) * 4
    assert now.health.level == "unknown"


def test_the_worst_lag_is_that_of_the_source_that_waits_longest(shop):
    other = Source.objects.create(name="outbox", kind=Kind.OUTBOX)
    for source, group, messages, seconds in ((shop, "eventhub", 900, 2.0), (other, "relay", 3, 40.0)):
        LagProbe.objects.create(source=source, asked_at=NOW)
        LagSample.objects.create(
            at=NOW, source=source, topic="t", group=group, messages=messages, oldest_age_s=seconds
        )
    now = snapshot.take(NOW)
    assert (now.lag.source, now.lag.seconds, now.lag.messages) == ("outbox", 40.0, 3)


def test_a_source_is_told_with_its_rate_lag_error_and_workers(shop, counted, heartbeat):
    heartbeat(shop, NOW, last_error="Redis went away.", last_error_at=NOON)
    heartbeat(shop, NOW - timedelta(seconds=60), worker="ingest@gone")
    counted(NOON + timedelta(seconds=3), received=10, origin_id=shop.pk)
    (one,) = snapshot.take(NOW).sources
    assert (one.name, one.state, one.level, one.workers) == ("shop", "running", "ok", 1)
    assert (one.per_s, one.last_error, one.topics) == (2.0, "Redis went away.", "shop.orders")
    assert one.lag_messages is None


@pytest.mark.parametrize(
    ("changes", "states", "word", "level"),
    [
        ({}, [], "no worker", "broken"),
        ({}, [State.RUNNING], "running", "ok"),
        ({}, [State.FAILING], "failing", "broken"),
        ({}, [State.FAILING, State.RUNNING], "failing on 1 of 2", "busy"),
        ({}, [State.STARTING], "starting", "busy"),
        ({"paused": True}, [State.PAUSED], "paused", "unknown"),
        ({"enabled": False}, [], "off", "unknown"),
        ({"kind": Kind.HTTP}, [], "listening", "ok"),
    ],
)
def test_the_state_of_a_source_comes_from_its_living_workers(shop, heartbeat, changes, states, word, level):
    for name, value in changes.items():
        setattr(shop, name, value)
    statuses = [heartbeat(shop, NOW, state, worker=str(n)) for n, state in enumerate(states)]
    standing = judge(shop, statuses, NOW)
    assert (standing.word, standing.level) == (word, level)


def test_a_worker_that_went_silent_does_not_run_a_source(shop, heartbeat):
    assert judge(shop, [heartbeat(shop, NOW - timedelta(seconds=11))], NOW).word == "no worker"


def test_yesterday_is_asked_once_a_minute(counted, django_assert_num_queries):
    counted(NOON - timedelta(days=1, minutes=2), received=300)
    assert snapshot.take(NOW).yesterday.per_s == 1.0
    with django_assert_num_queries(14):
        snapshot.take(NOW + timedelta(seconds=20))


def test_many_sources_and_types_cost_no_more_queries(counted, heartbeat, django_assert_num_queries):
    for n in range(12):
        source = Source.objects.create(name=f"s{n}", kind=Kind.REDIS, config={"streams": ["x"]})
        heartbeat(source, NOW)
        counted(NOON, f"type.{n}", received=1, origin_id=source.pk)
    snapshot.take(NOW)
    with django_assert_num_queries(14):
        assert len(snapshot.take(NOW).sources) == 12


def test_the_message_of_a_page_is_json_with_the_tiles_in_words(counted):
    now = timezone.now()
    EventType.objects.create(name="order.placed", last_seen_at=now)
    counted(now - timedelta(seconds=3), received=10)
    told = json.loads(encode(snapshot.take(now)))
    assert {tile["name"]: tile["value"] for tile in told["tiles"]}["throughput"] == "2/s"
    assert told["dead_letters"]["open"] == 0
    assert told["health"]["level"] == "ok"
