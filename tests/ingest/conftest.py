import random
import time
from uuid import uuid4

import pytest
import redis
from django.conf import settings

from eventhub.brokers.models import Kind, Source
from eventhub.ingest.loop import SourceLoop


@pytest.fixture
def client():
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        yield client


@pytest.fixture
def source(transactional_db, client):
    name = f"t-{uuid4().hex[:8]}"
    yield Source.objects.create(name=name, kind=Kind.REDIS, config={"streams": [f"{name}.orders"]})
    client.delete(f"{name}.orders")


@pytest.fixture
def run_loop():
    """Run the loop of a source, as a worker would, until a condition holds."""
    loops = []

    def run(source, until, timeout_s=30):
        loop = SourceLoop(source, "ingest@test")
        loops.append(loop)
        loop.start()
        deadline = time.monotonic() + timeout_s
        while not until(loop):
            assert time.monotonic() < deadline, f"in vain; the loop's last error: {loop.last_error!r}"
            time.sleep(0.02)
        return loop

    yield run
    for loop in loops:
        loop.stop()
    for loop in loops:
        assert loop.join(20)


def malformed_messages(count, huge=10):
    """`count` different messages that are no events, of every kind that producers manage to send."""
    choice = random.Random(7)
    kinds = [
        lambda n: choice.randbytes(choice.randrange(1, 300)),
        lambda n: b'{"event_type": "order.placed", "data": {"n": %d' % n,
        lambda n: b'{"event_type": %d}' % n,
        lambda n: b'{"event_type": "a", "event_id": ["%d"]}' % n,
        lambda n: b'{"event_type": "a", "metadata": {"stream_version": "%d"}}' % n,
        lambda n: b'{"event_type": "a", "timestamp": "day %d"}' % n,
        lambda n: b'{"event_type": "a", "data": "%d \\u0000"}' % n,
        lambda n: b'{"event_type": "a\\u0000", "data": %d}' % n,
        lambda n: b'{"event_type": "a", "data": "%d \x00"}' % n,
        lambda n: b'{"event_type": "a", "data": "%d \xff\xfe"}' % n,
        lambda n: b"[" * (5_000 + n),
        lambda n: b'{"a":' * (5_000 + n),
        lambda n: b'{"n": %d}' % n,
        lambda n: b"%d" % n,
        lambda n: b'{"specversion": "1.0", "type": "t%d"}' % n,
        lambda n: b'{"event_type": "a", "data": 1e%d}' % (1_000_000 + n),
    ]
    for number in range(count):
        if number < huge:
            yield b'{"event_type": "a", "data": "' + b"%d" % number + b"x" * 10_000_000 + b'"}'
        else:
            yield kinds[number % len(kinds)](number)
