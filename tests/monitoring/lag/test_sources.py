import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta

import pytest
import redis
from django.conf import settings as django_settings
from django.utils import timezone

from eventhub.brokers.adapter import BrokerError, Lag, open_adapter
from eventhub.brokers.models import Kind, Source
from monitoring.lag import thinning
from monitoring.lag.sources import asking, reading
from monitoring.models import LagProbe, LagSample, SourceMinute

pytestmark = pytest.mark.django_db(transaction=True)


class Hanging:
    """A broker that does not answer until the test lets it."""

    released = threading.Event()

    def __init__(self, source: Source, consumer: str) -> None:
        pass

    def lag(self) -> list[Lag]:
        Hanging.released.wait(20)
        return []

    def close(self) -> None:
        pass


class Mute(Hanging):
    """A broker that answers, and cannot tell."""

    def lag(self) -> list[Lag]:
        return [Lag(topic="orders", group="g", messages=None)]


class Telling(Hanging):
    """A broker with so many messages for the group."""

    waiting = 0

    def lag(self) -> list[Lag]:
        return [Lag(topic="orders", group="g", messages=Telling.waiting)]


class Refusing(Hanging):
    def lag(self) -> list[Lag]:
        raise BrokerError("The broker refused the password. Correct the url of the source.")


@pytest.fixture
def stream() -> Iterator[redis.Redis]:
    with closing(redis.Redis.from_url(django_settings.REDIS_URL)) as client:
        yield client
        client.delete("shop.orders")


@pytest.fixture
def with_broker(settings):
    def use(**classes: type) -> None:
        settings.BROKER_ADAPTERS = settings.BROKER_ADAPTERS | {
            kind: f"{__name__}.{cls.__name__}" for kind, cls in classes.items()
        }

    return use


def test_what_waits_in_a_redis_stream_is_sampled_in_messages_and_seconds(shop, stream):
    with closing(open_adapter(shop)) as adapter:
        adapter.poll(10, 0.01)  # makes the group
    began = timezone.now()
    long_ago_ms = int((began - timedelta(seconds=30)).timestamp() * 1000)
    for n in range(3):
        stream.xadd("shop.orders", {"body": b"{}"}, id=f"{long_ago_ms}-{n + 1}")
    assert asking.sample() == 1
    now = reading.latest()[shop.pk]
    assert (now.source, now.topic, now.messages, now.error) == ("shop", "shop.orders", 3, "")
    assert 29 <= now.seconds <= 31 + (timezone.now() - began).total_seconds()


def test_groups_of_other_readers_are_told_by_topic_and_do_not_make_the_source_late(shop, stream):
    with closing(open_adapter(shop)) as adapter:
        stream.xadd("shop.orders", {"body": b"{}"})
        stream.xgroup_create("shop.orders", "billing", id="0")
        adapter.acknowledge(adapter.poll(10, 1))
    asking.sample()
    assert reading.latest()[shop.pk].messages == 0
    assert {(one.group, one.messages) for one in reading.latest_by_topic(shop)} == {
        ("billing", 1),
        ("eventhub", 0),
    }


def test_a_broker_that_hangs_does_not_hold_up_the_others(shop, stream, with_broker):
    with closing(open_adapter(shop)) as adapter:
        adapter.poll(10, 0.01)
    stuck = Source.objects.create(name="stuck", kind=Kind.OUTBOX)
    Hanging.released.clear()
    with_broker(outbox=Hanging)
    started = timezone.now()
    assert asking.sample(timeout_s=0.5) == 1
    assert timezone.now() - started < timedelta(seconds=3)
    assert reading.latest()[shop.pk].messages == 0
    assert "not answered" in reading.latest()[stuck.pk].error
    # Asked again while the first question is still open: no second thread, the same answer.
    before = threading.active_count()
    asking.sample(timeout_s=0.2)
    assert threading.active_count() <= before + 1
    Hanging.released.set()


def test_unknown_is_not_zero(with_broker):
    outbox = Source.objects.create(name="outbox", kind=Kind.OUTBOX)
    with_broker(outbox=Mute)
    asking.sample()
    now = reading.latest()[outbox.pk]
    assert (now.messages, now.seconds) == (None, None)


def test_why_a_broker_cannot_tell_is_kept_until_it_can(shop, stream, with_broker, settings):
    whole = settings.BROKER_ADAPTERS
    with_broker(redis=Refusing)
    asking.sample()
    assert reading.latest()[shop.pk].error.startswith("The broker refused the password.")
    settings.BROKER_ADAPTERS = whole
    asking.sample()
    assert LagProbe.objects.get(source=shop).error == ""


def test_an_old_answer_says_nothing_about_now(shop):
    at = timezone.now() - timedelta(minutes=2)
    LagSample.objects.create(at=at, source=shop, topic="shop.orders", group="eventhub", messages=7)
    LagProbe.objects.create(source=shop, asked_at=at)
    assert reading.latest() == {}


def test_samples_are_forgotten_after_a_day(shop, stream):
    LagSample.objects.create(at=timezone.now() - timedelta(hours=26), source=shop, topic="t", messages=1)
    asking.sample()
    assert not LagSample.objects.filter(topic="t").exists()


def test_switched_off_sources_and_those_nobody_polls_are_not_asked(with_broker):
    Source.objects.create(name="off", kind=Kind.OUTBOX, enabled=False)
    Source.objects.create(name="web", kind=Kind.HTTP)
    with_broker(outbox=Refusing)
    assert asking.sample() == 0
    assert not LagProbe.objects.exists()


def test_the_series_of_a_source_has_gaps_where_nothing_was_known(shop):
    end = timezone.now().replace(microsecond=0)
    start = end - timedelta(seconds=15)
    for second, waiting in ((0, 5), (12, 0)):
        at = start + timedelta(seconds=second)
        LagSample.objects.create(
            at=at, source=shop, topic="a", group="eventhub", messages=waiting, oldest_age_s=1.0
        )
        LagSample.objects.create(
            at=at, source=shop, topic="b", group="eventhub", messages=1, oldest_age_s=2.0
        )
    assert reading.source_series(shop, start, end, 5) == ([6, None, 1], [2.0, None, 2.0])
    assert reading.worst_between(start, end) == 2.0


def test_what_waited_is_kept_by_the_minute_for_longer_than_the_samples(shop, with_broker):
    with_broker(redis=Mute)
    start = timezone.now().replace(second=0, microsecond=0)
    asking.sample()
    assert [(one.source, one.messages) for one in SourceMinute.objects.all()] == []  # of no group of its own
    shop.config = {**shop.config, "group": "g"}
    shop.save()
    with_broker(redis=Telling)
    for Telling.waiting in (7, 3):
        asking.sample()
    assert max(SourceMinute.objects.values_list("messages", flat=True)) == 7
    end = start + timedelta(minutes=4)
    assert max(n for n in reading.source_series(shop, start, end, 60)[0] if n is not None) == 7


def test_a_source_s_history_goes_back_three_months_by_the_hour(shop):
    now = timezone.now().replace(minute=0, second=0, microsecond=0)
    for ago in (timedelta(days=30), timedelta(days=2)):
        for minute, waiting in ((0, 5), (10, 9), (20, None)):
            at = now - ago + timedelta(minutes=minute)
            SourceMinute.objects.create(source=shop, minute=at, messages=waiting, seconds=float(minute))
    SourceMinute.objects.create(source=shop, minute=now - timedelta(days=92), messages=1)
    thinning.thin(now)
    assert SourceMinute.objects.count() == 4  # an hour, and three minutes of the day before yesterday
    assert reading.least_step_s(now - timedelta(days=30), now) == 3600
    start = now - timedelta(days=30)
    assert reading.source_series(shop, start, start + timedelta(hours=2), 3600) == ([9, None], [20.0, None])
    assert reading.least_step_s(now - timedelta(days=2), now) == 60
    start = now - timedelta(days=2)
    assert reading.source_series(shop, start, start + timedelta(minutes=20), 600) == ([5, 9], [0.0, 10.0])
