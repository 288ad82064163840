"""The broker restarts, is killed, runs short of memory: nothing is lost."""

import time

import pytest

from eventhub.brokers.adapter import BrokerError
from eventhub.events.models import Event
from eventhub.ingest.loop import SourceLoop
from tests.integration.rabbitmq.conftest import Rabbit, bodies, events, fill, take, wait


@pytest.fixture
def rabbit(own_rabbitmq):
    """On a server of the test's own."""
    rabbit = Rabbit(own_rabbitmq.address, "/")
    yield rabbit
    rabbit.close()


@pytest.mark.parametrize(("kind", "end"), [("classic", "restart"), ("quorum", "kill")])
def test_a_broker_that_goes_and_comes_back_has_lost_nothing(rabbit, own_rabbitmq, reader, source, kind, end):
    rabbit.queue("work", kind)
    one = source(queue="work")
    adapter = reader(one)
    fill(adapter, events(0, 100))
    taken = take(adapter, 100)
    adapter.acknowledge(taken[:40])
    if end == "restart":
        own_rabbitmq.restart()
    else:
        time.sleep(1)
        own_rabbitmq.kill()
        own_rabbitmq.start()
    with pytest.raises(BrokerError):
        take(adapter, 1)
    adapter.close()
    again = take(reader(one), 60)
    assert set(bodies(taken[40:])) <= set(bodies(again))


@pytest.mark.django_db(transaction=True)
def test_a_worker_goes_on_when_the_broker_is_back(rabbit, own_rabbitmq, source, reader):
    rabbit.queue("work")
    one = source(saved=True, queue="work")
    fill(reader(one), events(0, 300))
    runner = SourceLoop(one, "w1")
    runner.start()
    wait(lambda: Event.objects.count() == 300, runner)
    rabbit.close()
    own_rabbitmq.restart()
    fill(reader(one), events(300, 500))
    wait(lambda: Event.objects.count() == 500, runner)
    runner.stop()
    assert runner.join(20)
    assert rabbit.waiting("work") == 0


def test_a_broker_short_of_memory_is_named_when_it_takes_no_messages(
    rabbit, own_rabbitmq, source, reader, monkeypatch
):
    monkeypatch.setattr("eventhub.brokers.rabbitmq.publishing.CONFIRM_TIMEOUT_S", 3.0)
    rabbit.queue("work")
    adapter = reader(source(queue="work"))
    fill(adapter, events(0, 1))
    own_rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1MB")
    time.sleep(2)
    with pytest.raises(BrokerError, match="short of memory or disk and takes no messages"):
        fill(adapter, events(1, 2))
    own_rabbitmq.control("set_vm_memory_high_watermark", "0.4")
    time.sleep(2)
    fill(adapter, events(2, 3))
    assert len(take(adapter, 2)) >= 2
