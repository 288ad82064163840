"""A look at what is there, or at what comes, which takes nothing from anybody."""

import threading
import time

import pytest

from tests.integration.rabbitmq.conftest import bodies, take

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_newest_of_a_stream_are_shown_and_its_reader_still_gets_them_all(rabbit, reader, source):
    rabbit.queue("log", "stream")
    stream = source(saved=True, queue="log", queue_type="stream")
    for number in range(30):
        rabbit.publish(b"%d" % number, "", "log")
    assert bodies(reader(stream, "look").peek(5, 5.0)) == [b"29", b"28", b"27", b"26", b"25"]
    assert len(take(reader(stream), 30)) == 30


def test_an_empty_stream_shows_nothing_and_soon(rabbit, reader, source):
    rabbit.queue("log", "stream")
    started = time.monotonic()
    assert reader(source(queue="log", queue_type="stream")).peek(5, 3.0) == []
    assert time.monotonic() - started < 20


def test_a_tap_that_no_worker_has_run_is_shown_what_its_exchange_sends_meanwhile(rabbit, reader, source):
    rabbit.exchange("orders")
    tap = source(exchange="orders", bindings=["order.#"])
    stop = threading.Event()

    def keep_publishing():
        number = 0
        while not stop.is_set():
            rabbit.publish(b"%d" % number, "orders", "order.placed")
            rabbit.publish(b"another", "orders", "payment.taken")
            number += 1
            time.sleep(0.05)

    publisher = threading.Thread(target=keep_publishing)
    publisher.start()
    try:
        peeked = reader(tap).peek(5, 10.0)
    finally:
        stop.set()
        publisher.join()
    numbers = [int(body) for body in bodies(peeked)]
    assert numbers == list(range(numbers[-1] + 4, numbers[-1] - 1, -1))
    assert rabbit.api("GET", "queues/{vhost}") == [], "a look leaves no queue behind"
