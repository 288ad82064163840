"""What every adapter promises, shown on every broker: the same tests, run over each."""

import time
from datetime import UTC, datetime, timedelta

import pytest

from eventhub.brokers.adapter import BrokerError, Refused, open_adapter
from eventhub.events.message import OutgoingMessage

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def adapter(broker):
    """Opens adapters for the broker's source, one for each name."""
    opened = []

    def open_one(consumer="w1"):
        opened.append(open_adapter(broker.source, consumer))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def take(adapter, count, timeout_s=30.0, at_once=1000, acknowledge=False):
    """Poll until `count` messages came; with 0, for a while, in which none may come."""
    taken = []
    deadline = time.monotonic() + (timeout_s if count else 2.0)
    while len(taken) < count or (not count and time.monotonic() < deadline):
        assert time.monotonic() < deadline, f"{len(taken)} of {count} messages came"
        batch = adapter.poll(at_once, 0.5)
        if acknowledge:
            adapter.acknowledge(batch)
        taken += batch
    return taken


def messages(broker, *bodies, **fields):
    return [OutgoingMessage(body, broker.topic, **fields) for body in bodies]


def numbered(broker, count, key=None):
    return messages(broker, *(b"%d" % n for n in range(count)), key=key)


def bodies(taken):
    return [message.body for message in taken]


def test_a_published_message_comes_with_its_bytes_and_says_where_and_when(broker, adapter):
    one = adapter()
    one.publish(messages(broker, broker.odd_body))
    [message] = take(one, 1)
    assert (message.body, message.topic, message.headers) == (broker.odd_body, broker.topic, {})
    assert message.origin_key.startswith(f"{broker.kind}:{broker.name}")
    assert abs(datetime.now(UTC) - message.timestamp) < timedelta(seconds=30)


def test_headers_come_by_their_names_in_lower_case_and_as_they_were_sent(broker, adapter):
    one = adapter()
    sent = (("TraceParent", "00-x"), ("n", "1"))
    one.publish(messages(broker, b"{}", headers=sent))
    [message] = take(one, 1)
    assert message.headers == {"traceparent": "00-x", "n": "1"}
    if broker.keeps_header_bytes:
        assert sorted(message.header_pairs()) == sorted(sent)


def test_header_values_that_are_not_text_come_back(broker, adapter):
    if not broker.keeps_header_bytes:
        pytest.xfail(f"{broker.kind} keeps only text")
    one = adapter()
    sent = (("raw", "base64:/wA="), ("like", "base64:bm90"))
    one.publish(messages(broker, b"{}", headers=sent))
    [message] = take(one, 1, acknowledge=True)
    one.publish(messages(broker, b"{}", headers=message.header_pairs()))
    [again] = take(one, 1)
    assert sent[0] in message.header_pairs()
    assert sorted(again.header_pairs()) == sorted(message.header_pairs())


def test_a_header_that_came_twice_comes_twice(broker, adapter):
    if not broker.keeps_repeated_headers:
        pytest.xfail(f"{broker.kind} keeps one of each name")
    one = adapter()
    sent = (("a", "1"), ("b", "x"), ("a", "2"))
    one.publish(messages(broker, b"{}", headers=sent))
    [message] = take(one, 1)
    assert (message.header_pairs(), message.headers) == (sent, {"a": "2", "b": "x"})


def test_a_key_comes_back(broker, adapter):
    if not broker.keeps_keys:
        pytest.xfail(f"{broker.kind} has no keys")
    one = adapter()
    keys = ["order-7", "base64:/wA=", "ключ", None]
    for key in keys:
        one.publish(messages(broker, b"{}", key=key))
    assert [message.key for message in take(one, 4)] == keys


def test_messages_of_one_key_come_in_their_order_and_each_once(broker, adapter):
    if not broker.keeps_order:
        pytest.xfail(f"{broker.kind} promises no order here")
    one = adapter()
    one.publish(numbered(broker, broker.many, key="k"))
    taken = take(one, broker.many, acknowledge=not broker.reads_ahead)
    assert bodies(taken) == [b"%d" % n for n in range(broker.many)]
    assert len({message.origin_key for message in taken}) == broker.many


def test_what_was_not_acknowledged_comes_again_as_the_same(broker, adapter):
    first = adapter()
    first.publish(numbered(broker, 10, key="k"))
    taken = take(first, 10)
    first.acknowledge(taken[:4])
    first.close()
    again = take(adapter(), 6)
    assert {message.origin_key for message in again} == {message.origin_key for message in taken[4:]}
    assert sorted(bodies(again)) == sorted(bodies(taken[4:]))


def test_what_was_acknowledged_does_not_come_again(broker, adapter):
    first = adapter()
    first.publish(numbered(broker, 10))
    first.acknowledge(take(first, 10))
    assert take(first, 0) == []
    first.close()
    second = adapter()
    assert take(second, 0) == []
    second.publish(messages(broker, b"new"))
    assert bodies(take(second, 1)) == [b"new"]


def test_a_poll_gives_no_more_than_asked_for(broker, adapter):
    one = adapter()
    one.publish(numbered(broker, 50))
    taken = []
    deadline = time.monotonic() + 30
    while len(taken) < 50:
        assert time.monotonic() < deadline
        some = one.poll(7, 0.5)
        assert len(some) <= 7
        if not broker.reads_ahead:
            one.acknowledge(some)
        taken += some
    assert len(taken) == 50


def test_with_nothing_to_read_a_poll_waits_no_longer_than_told(broker, adapter):
    one = adapter()
    take(one, 0)
    started = time.monotonic()
    assert one.poll(100, 0.5) == []
    assert one.poll(100, 0) == []
    assert time.monotonic() - started < 10


def test_a_batch_of_large_messages_is_bounded(broker, adapter):
    one = adapter()
    body, count = b"x" * min(broker.largest_body, 1_000_000), 60
    for _ in range(count):
        one.publish(messages(broker, body))
    sizes = []
    deadline = time.monotonic() + 60
    while sum(sizes) < count * len(body):
        assert time.monotonic() < deadline
        batch = one.poll(5_000, 0.5)
        sizes.append(sum(map(len, bodies(batch))))
        one.acknowledge(batch)
    assert max(sizes) < 40_000_000


def test_lag_counts_what_waits_and_what_does_not_wait_any_more(broker, adapter):
    one = adapter()
    one.acknowledge(take(one, 0))
    one.publish(numbered(broker, 5))
    wait_until_waiting(one, 5)
    one.acknowledge(take(one, 5, acknowledge=not broker.reads_ahead))
    wait_until_waiting(one, 0, meanwhile=lambda: one.poll(1, 0.2))


def wait_until_waiting(adapter, count, meanwhile=lambda: time.sleep(0.2)):
    """A broker may be seconds late in telling."""
    deadline = time.monotonic() + 40
    while (waiting := sum(lag.messages + (lag.pending or 0) for lag in adapter.lag())) != count:
        assert time.monotonic() < deadline, f"{waiting} wait, not {count}"
        meanwhile()


def test_publishing_to_what_is_not_there_is_refused_and_the_rest_is_published(broker, adapter):
    if not broker.refuses_unknown_topics:
        pytest.xfail(f"{broker.kind} makes what is missing")
    one = adapter()
    missing = OutgoingMessage(b"lost", broker.topic_of("nowhere"))
    with pytest.raises(Refused, match="nowhere") as refused:
        one.publish([*messages(broker, b"1"), missing, *messages(broker, b"2")])
    assert list(refused.value.reasons) == [1]
    assert sorted(bodies(take(one, 2))) == [b"1", b"2"]


def test_a_place_is_told_to_be_there_or_not(broker, adapter):
    one = adapter()
    one.publish(messages(broker, b"1"))
    one.acknowledge(take(one, 1))
    assert one.place_of(*messages(broker, b"")).exists is True
    assert one.place_of(OutgoingMessage(b"", broker.topic_of("nowhere"))).exists is False


def test_a_broker_that_is_not_there_is_named_as_the_problem(broker, adapter):
    broker.source.config |= broker.nobody
    one = adapter()
    started = time.monotonic()
    with pytest.raises(BrokerError, match=r"reached|refused"):
        take(one, 1, timeout_s=10)
    with pytest.raises(BrokerError, match=r"reached|refused"):
        one.lag()
    with pytest.raises(BrokerError, match=r"reached|refused"):
        one.publish(messages(broker, b"1"))
    one.close()
    assert time.monotonic() - started < 30


def test_a_peek_shows_the_newest_messages_first_and_takes_none_from_anybody(broker, adapter):
    one = adapter()
    for n in range(30):  # one after the other, so that each has a time of its own
        one.publish(messages(broker, b"%d" % n, headers=(("n", str(n)),)))
        time.sleep(0.002)
    peeked = adapter("peek").peek(10, 5.0)
    assert len(peeked) == 10
    if broker.knows_the_newest:
        assert bodies(peeked) == [b"%d" % n for n in range(29, 19, -1)]
    assert {message.topic for message in peeked} == {broker.topic}
    assert peeked[0].headers["n"] == peeked[0].body.decode()
    again = adapter("w2")
    taken = take(again, 30, acknowledge=not broker.reads_ahead)
    assert sorted(map(int, bodies(taken))) == list(range(30))
    assert {message.origin_key for message in peeked} <= {message.origin_key for message in taken}


def test_a_peek_at_what_is_empty_shows_nothing_and_soon(broker, adapter):
    started = time.monotonic()
    assert adapter().peek(10, 3.0) == []
    assert time.monotonic() - started < 20


def test_closing_never_fails(broker, adapter):
    unused = adapter("unused")
    unused.close()
    unused.close()
    used = adapter("used")
    used.publish(messages(broker, b"1"))
    take(used, 1)
    used.close()
    used.close()
