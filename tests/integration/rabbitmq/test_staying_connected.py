"""RabbitMQ hangs up on a consumer that is silent, or takes nothing in for 15 seconds."""

import time

import pytest

from eventhub.events.models import Event
from eventhub.ingest import pipeline
from eventhub.ingest.loop import SourceLoop
from tests.integration.rabbitmq.conftest import events, fill, take, wait


@pytest.mark.django_db(transaction=True)
def test_a_worker_whose_database_is_slow_stays_connected(rabbit, source, reader, monkeypatch):
    rabbit.queue("work")
    one = source(saved=True, queue="work", prefetch=3000)
    filler = reader(one, "filler")
    for start in range(0, 6000, 1000):
        fill(filler, events(start, start + 1000, metadata={"filling": "x" * 10_000}))
    write = pipeline.Pipeline.write
    slow = []

    def slowly(self, batch):
        if not slow and len(batch.messages) > 100:
            slow.append(batch)
            time.sleep(20)
        return write(self, batch)

    monkeypatch.setattr(pipeline.Pipeline, "write", slowly)
    runner = SourceLoop(one, "w1")
    runner.start()
    wait(lambda: Event.objects.count() == 6000, runner, timeout_s=120)
    assert slow
    assert runner.restarts == 0, runner.last_error
    runner.stop()
    assert runner.join(20)


def test_heartbeats_keep_an_idle_reader_connected(rabbit, source, reader, monkeypatch):
    monkeypatch.setattr("eventhub.brokers.rabbitmq.connection.HEARTBEAT_S", 2)
    rabbit.queue("work")
    one = source(queue="work")
    adapter = reader(one)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        assert adapter.poll(10, 0.5) == []
    fill(reader(one, "filler"), events(0, 1))
    assert len(take(adapter, 1)) == 1
