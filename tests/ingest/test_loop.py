import json
import os
import time
from datetime import timedelta

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from dlq.models import DeadLetter
from eventhub.brokers.models import Role, Source, SourceStatus, State
from eventhub.events.models import Event
from eventhub.ingest.supervisor import Supervisor
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion, ValidationMode
from monitoring.rollups.models import Rollup


def put(client, source, *events, **fields):
    for event in events:
        client.xadd(source.config["streams"][0], {"body": json.dumps(event), **fields})


def event(number, **fields):
    return {
        "event_id": f"e-{number}",
        "event_type": "order.placed",
        "timestamp": timezone.now().isoformat(),
        "data": {"n": number},
        "metadata": {"source": "order", "correlation_id": f"c-{number}"},
    } | fields


def wait(condition, timeout_s=20):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "in vain"
        time.sleep(0.05)


def test_events_are_stored_counted_and_acknowledged(client, source, run_loop):
    put(client, source, *(event(n) for n in range(50)))
    run_loop(source, lambda loop: loop.messages_total == 50)
    assert Event.objects.count() == 50
    assert Event.objects.get(event_id="e-7").origin_id == source.pk
    rows = Rollup.objects.filter(event_type="order.placed", service="order", origin_id=source.pk)
    assert sum(row.received for row in rows) == 50
    assert sum(sum(row.arrival_counts) for row in rows) == 50
    assert client.xpending(source.config["streams"][0], "eventhub")["pending"] == 0
    assert EventType.objects.get().name == "order.placed"


def test_an_event_delivered_twice_is_stored_once_and_counted_as_duplicate(client, source, run_loop):
    one = event(1)
    put(client, source, one, one)
    first = run_loop(source, lambda loop: loop.messages_total == 2)
    first.stop()
    assert first.join(10)
    put(client, source, one)
    run_loop(source, lambda loop: loop.messages_total == 1)
    assert Event.objects.count() == 1
    assert sum(row.duplicates for row in Rollup.objects.all()) == 2


def test_a_schema_that_is_enforced_makes_a_dead_letter_and_one_that_warns_a_count(client, source, run_loop):
    schema = {"type": "object", "properties": {"n": {"type": "integer", "maximum": 5}}}
    for name, mode in (("order.placed", ValidationMode.ENFORCE), ("order.paid", ValidationMode.WARN)):
        kind = EventType.objects.create(name=name, validation=mode)
        SchemaVersion.objects.create(event_type=kind, version="1", status=SchemaStatus.ACTIVE, schema=schema)
    version = {"event_version": "1"}
    put(
        client, source, event(1, **version), event(9, **version), event(8, event_type="order.paid", **version)
    )
    run_loop(source, lambda loop: loop.messages_total == 3)
    assert sorted(Event.objects.values_list("event_id", flat=True)) == ["e-1", "e-8"]
    letter = DeadLetter.objects.get()
    assert (letter.event_id, letter.reason) == ("e-9", "invalid")
    assert "$.n" in letter.error_message
    assert sum(row.invalid for row in Rollup.objects.all()) == 1
    assert sum(row.dead_letters for row in Rollup.objects.all()) == 1


def test_receipts_are_counted_for_the_service_that_reports(client, source, run_loop):
    data = {
        "event_id": "e-1",
        "event_type": "order.placed",
        "service": "payment",
        "attempt": 1,
        "duration_ms": 250,
    }
    failed = data | {"error": {"class": "Timeout", "message": "no answer"}}
    put(
        client,
        source,
        event(1),
        event(2, event_type="eventhub.delivery.succeeded", data=data),
        event(3, event_type="eventhub.delivery.failed", data=failed),
    )
    run_loop(source, lambda loop: loop.messages_total == 3)
    rows = Rollup.objects.filter(event_type="order.placed", service="payment")
    assert (sum(row.handled for row in rows), sum(row.failed for row in rows)) == (1, 1)
    assert sum(sum(row.processing_counts) for row in rows) == 2


def test_another_services_dead_letters_become_letters_and_not_events(client, source, run_loop):
    source.role = Role.DEAD_LETTERS
    source.save()
    put(client, source, event(1), **{"dlq-error-class": "CarrierTimeout", "dlq-error-message": "no answer"})
    run_loop(source, lambda loop: loop.messages_total == 1)
    letter = DeadLetter.objects.get()
    assert (letter.error_class, letter.event_id, letter.correlation_id) == ("CarrierTimeout", "e-1", "c-1")
    assert Event.objects.count() == 0


def test_a_database_that_fails_loses_and_doubles_nothing(client, source, run_loop):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE events_event ADD CONSTRAINT refuse CHECK (event_id <> 'e-30') NOT VALID")
    try:
        put(client, source, *(event(n) for n in range(60)))
        loop = run_loop(source, lambda loop: loop.restarts >= 2)
        assert loop.state == State.FAILING
        assert "refuse" in loop.last_error
        assert not Event.objects.filter(event_id="e-30").exists()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE events_event DROP CONSTRAINT refuse")
    wait(lambda: loop.messages_total >= 60)
    assert Event.objects.count() == 60


def test_nothing_is_taken_from_the_broker_while_the_database_cannot_be_reached(client, source, run_loop):
    put(client, source, event(1))
    name = connection.settings_dict["NAME"]

    def allow(connections):
        with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as server:
            server.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {connections}')

    allow(False)
    try:
        loop = run_loop(source, lambda loop: loop.restarts >= 2)
        assert "accepting connections" in loop.last_error
        assert client.xinfo_groups(source.config["streams"][0]) == []
    finally:
        allow(True)
    wait(lambda: loop.messages_total == 1)
    assert Event.objects.count() == 1


def test_a_broker_that_goes_away_is_waited_for(client, source, run_loop):
    put(client, source, event(1))
    loop = run_loop(source, lambda loop: loop.messages_total == 1)
    client.client_kill_filter(_type="normal", skipme=True)
    put(client, source, event(2))
    wait(lambda: loop.messages_total == 2)
    assert Event.objects.count() == 2


@pytest.fixture
def supervisor(transactional_db):
    supervisor = Supervisor("ingest@test")
    supervisor.start()
    yield supervisor
    supervisor.stop()


def status(source):
    return SourceStatus.objects.filter(source=source).values_list("state", flat=True).first()


def test_the_supervisor_pauses_resumes_and_stops_a_source_as_its_row_says(client, source, supervisor):
    wait(lambda: status(source) == State.RUNNING)
    Source.objects.filter(pk=source.pk).update(paused=True)
    wait(lambda: status(source) == State.PAUSED)
    put(client, source, event(1))
    time.sleep(1.5)
    assert Event.objects.count() == 0
    Source.objects.filter(pk=source.pk).update(paused=False)
    wait(lambda: Event.objects.count() == 1)
    Source.objects.filter(pk=source.pk).update(enabled=False)
    wait(lambda: status(source) == State.STOPPED)


def test_a_heartbeat_tells_that_the_worker_lives_and_a_bad_config_what_is_wrong(source, supervisor):
    wait(lambda: status(source) == State.RUNNING)
    beat = SourceStatus.objects.get(source=source).heartbeat_at
    assert timezone.now() - beat < timedelta(seconds=10)
    Source.objects.filter(pk=source.pk).update(config={"streams": []})
    wait(lambda: status(source) == State.FAILING)
    assert "streams" in SourceStatus.objects.get(source=source).last_error


def test_stopping_finishes_what_is_in_work(client, source):
    put(client, source, *(event(n) for n in range(500)))
    supervisor = Supervisor("ingest@test")
    supervisor.start()
    wait(lambda: Event.objects.exists())
    supervisor.stop()
    stored = Event.objects.count()
    pending = client.xpending(source.config["streams"][0], "eventhub")["pending"]
    with redis.Redis.from_url(settings.REDIS_URL) as other:
        unread = next(group["lag"] for group in other.xinfo_groups(source.config["streams"][0]))
    assert (pending, stored + unread) == (0, 500)
    assert status(source) == State.STOPPED
