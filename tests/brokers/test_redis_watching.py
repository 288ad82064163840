"""Every stream and group on a watched Redis, not only those of the source."""

import re
from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.core.cache import cache

from eventhub.brokers import redis_watching
from eventhub.brokers.adapter import WatchesAll, open_adapter
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.redis_watching import NOBODY_READS
from monitoring.lag.groups import asking
from monitoring.lag.models import WatchedBroker, WatchedGroup


@pytest.fixture
def client():
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture
def name(client):
    name = f"t-{uuid4().hex[:8]}"
    yield name
    client.delete(*client.keys(f"{name}*"))
    cache.clear()


@pytest.fixture
def adapter(name):
    adapter = open_adapter(Source(name=name, kind=Kind.REDIS, config={"streams": [f"{name}.own"]}), "w")
    yield adapter
    adapter.close()


def told(adapter, name):
    return {
        (lag.topic.removeprefix(name), lag.group): lag
        for lag in adapter.everything()
        if lag.topic.startswith(name)
    }


def test_groups_of_streams_that_no_source_reads_are_told_of(client, name, adapter):
    for n in range(5):
        client.xadd(f"{name}.foreign", {"body": f"{n}"})
    client.xgroup_create(f"{name}.foreign", "billing", id="0")
    client.xreadgroup("billing", "one", {f"{name}.foreign": ">"}, count=2)
    client.xgroup_create(f"{name}.foreign", "audit", id="$")
    client.xadd(f"{name}.unread", {"body": "1"})
    client.set(f"{name}.text", "no stream")
    assert isinstance(adapter, WatchesAll)
    found = told(adapter, name)
    billing = found[".foreign", "billing"]
    assert (billing.messages, billing.pending) == (3, 2)
    assert billing.oldest_age is not None
    assert timedelta() < billing.oldest_age < timedelta(minutes=1)
    assert (found[".foreign", "audit"].messages, found[".foreign", "audit"].oldest_age) == (0, timedelta())
    unread = found[".unread", ""]
    assert (unread.messages, unread.why_unknown) == (None, NOBODY_READS)
    assert set(found) == {(".foreign", "billing"), (".foreign", "audit"), (".unread", "")}
    assert adapter.lag() == []  # of a source only its own streams


def test_a_walk_over_many_keys_goes_on_where_it_stopped_and_forgets_what_is_gone(
    client, name, adapter, monkeypatch
):
    for n in range(40):
        client.xadd(f"{name}.s{n}", {"body": "1"})
        client.set(f"{name}.k{n}", "x")
    monkeypatch.setattr(redis_watching, "SCAN_AT_ONCE", 5)
    monkeypatch.setattr(redis_watching, "SCAN_FOR_S", 0.0)
    first = told(adapter, name)
    assert len(first) < 40
    for _ in range(200):
        if len(told(adapter, name)) == 40:
            break
    assert len(told(adapter, name)) == 40
    client.delete(*(f"{name}.s{n}" for n in range(30)))
    assert len(told(adapter, name)) == 10


def test_who_may_not_scan_is_told_of_the_source_s_own_streams(client, name, monkeypatch):
    client.execute_command("ACL", "SETUSER", name, "on", ">hush", "~*", "+@all", "-scan")
    try:
        url = re.sub("//.*@", f"//{name}@", settings.REDIS_URL)
        source = Source(
            name=name, kind=Kind.REDIS, config={"streams": [f"{name}.own"], "url": url, "password": "hush"}
        )
        client.xadd(f"{name}.own", {"body": "1"})
        client.xgroup_create(f"{name}.own", "eventhub", id="0")
        client.xadd(f"{name}.foreign", {"body": "1"})
        client.xgroup_create(f"{name}.foreign", "billing", id="0")
        adapter = open_adapter(source, "w")
        assert [(topic, group) for topic, group in told(adapter, name)] == [(".own", "eventhub")]
        assert "hush" not in adapter.broker  # type: ignore[attr-defined]
        adapter.close()
    finally:
        client.execute_command("ACL", "DELUSER", name)


@pytest.mark.django_db(transaction=True)
def test_two_sources_on_one_redis_are_one_broker_with_all_its_groups(client, name):
    for n in (1, 2):
        Source.objects.create(name=f"{name}-{n}", kind=Kind.REDIS, config={"streams": [f"{name}.s{n}"]})
    client.xadd(f"{name}.foreign", {"body": "1"})
    client.xgroup_create(f"{name}.foreign", f"{name}-billing", id="0")
    assert asking.watch() == 1
    assert WatchedBroker.objects.count() == 1
    assert WatchedGroup.objects.get(name=f"{name}-billing").messages == 1
