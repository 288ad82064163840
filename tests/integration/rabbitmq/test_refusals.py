import socket
import time
from datetime import timedelta

import pytest

from eventhub.brokers.adapter import BadConfig, BrokerError
from eventhub.brokers.trying import try_connection


def refusal(adapter):
    """What poll says, which is what lag says, too."""
    with pytest.raises(BrokerError) as polled:
        adapter.poll(1, 0.1)
    adapter.close()
    with pytest.raises(BrokerError) as asked:
        adapter.lag()
    assert str(polled.value) == str(asked.value)
    return str(polled.value)


def test_a_host_that_nobody_knows(reader, source):
    words = refusal(reader(source(url="amqp://nowhere.invalid/", queue="q")))
    assert words == "The host of nowhere.invalid:5672 is not known. Check the address."


def test_a_port_where_nobody_listens(reader, source):
    words = refusal(reader(source(url="amqp://127.0.0.1:1/", queue="q")))
    assert "127.0.0.1:1 refused the connection: nothing listens there" in words


def test_a_port_where_nobody_answers(reader, source, monkeypatch):
    monkeypatch.setattr("eventhub.brokers.rabbitmq.connection.CONNECT_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        words = refusal(reader(source(url=f"amqp://127.0.0.1:{server.getsockname()[1]}/", queue="q")))
    assert "does not answer" in words


def test_another_protocol_behind_the_port(rabbit, reader, source):
    port = rabbit.management_url.rpartition(":")[2]
    words = refusal(reader(source(url=f"amqp://127.0.0.1:{port}/", queue="q")))
    # HTTP servers wait for the end of the request, about as long as we for an answer: either may be the first.
    assert "this is its port for AMQP" in words


def test_a_wrong_password(rabbit, reader, source):
    host = rabbit.url.rpartition("@")[2]
    words = refusal(reader(source(url=f"amqp://eventhub@{host}", password="wrong", queue="q")))
    assert "in with this password. Check both." in words
    assert "wrong" not in words.replace("went wrong", "")


def test_a_virtual_host_that_is_not_there(rabbit, reader, source):
    base = rabbit.url.rpartition("/")[0]
    words = refusal(reader(source(url=f"{base}/nowhere", queue="q")))
    assert "There is no virtual host 'nowhere'" in words


def test_a_queue_or_an_exchange_that_is_not_there(reader, source):
    assert "There is no queue 'missing' in the virtual host" in refusal(reader(source(queue="missing")))
    assert "There is no exchange 'missing' in the virtual host" in refusal(reader(source(exchange="missing")))


def test_a_missing_exchange_leaves_no_queue_behind(rabbit, reader, source):
    one = source(exchange="missing")
    refusal(reader(one))
    assert [queue["name"] for queue in rabbit.api("GET", "queues/{vhost}")] == []


def test_a_queue_of_that_name_with_other_settings(rabbit, reader, source):
    rabbit.exchange("orders", "topic")
    rabbit.queue("mine", "classic")
    with pytest.raises(BrokerError, match=r"The queue 'mine' is there with other settings \(x-queue-type"):
        reader(source(exchange="orders", queue="mine")).poll(1, 0.1)


def test_a_user_without_permission(rabbit, reader, source):
    rabbit.queue("work")
    rabbit.api("PUT", "users/limited", {"password": "limited", "tags": ""})
    rabbit.api("PUT", "permissions/{vhost}/limited", {"configure": "^$", "write": "^$", "read": "^$"})
    host = rabbit.url.rpartition("@")[2]
    limited = source(url=f"amqp://limited:limited@{host}", queue="work")
    with pytest.raises(BrokerError, match=r"does not permit it: access to queue 'work' in vhost .* refused"):
        reader(limited).poll(1, 0.1)
    rabbit.api("DELETE", "users/limited")


def test_an_exclusive_queue_of_somebody_else(rabbit, reader, source):
    rabbit.channel.queue_declare("theirs", exclusive=True)
    assert "The queue 'theirs' belongs to another connection alone" in refusal(reader(source(queue="theirs")))


def test_the_first_address_that_answers_is_taken(rabbit, reader, source):
    rabbit.queue("work")
    rabbit.publish(b"1", "", "work")
    adapter = reader(source(url=f"amqp://127.0.0.1:1/;{rabbit.url}", queue="work"))
    assert [message.body for message in adapter.poll(1, 5)] == [b"1"]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "name the exchange to tap, or the queue"),
        ({"queue": "q", "max_priority": 5}, "own queue of the type 'classic'"),
        ({"exchange": "e", "header_bindings": [{"a": "b"}], "bindings": ["c"]}, "either 'header_bindings'"),
        ({"exchange": "e", "client_key": "k"}, "go together"),
        ({"exchange": "e", "stream_start": "yesterday"}, "stream_start"),
    ],
)
def test_a_config_that_cannot_be_meant(reader, source, config, words):
    with pytest.raises(BadConfig, match=words):
        reader(source(**config))


def test_a_direct_exchange_wants_its_keys_named(rabbit, reader, source):
    rabbit.exchange("logs", "direct")
    with pytest.raises(BadConfig, match="is a direct one, where '#' is a routing key like any other"):
        reader(source(exchange="logs", management_url=rabbit.management_url)).lag()


def test_trying_a_connection_makes_nothing(rabbit, source):
    rabbit.exchange("orders", "topic")
    report = try_connection(source(exchange="orders"))
    assert report.ok, report
    assert rabbit.api("GET", "queues/{vhost}") == []


def test_the_management_api_says_what_is_wrong_with_it(rabbit, reader, source):
    rabbit.queue("work")
    with pytest.raises(BrokerError, match=r"management API at 127\.0\.0\.1:1 cannot be used"):
        reader(source(queue="work", management_url="http://127.0.0.1:1")).lag()
    host = rabbit.management_url.rpartition("@")[2]
    with pytest.raises(BrokerError, match="refuses the user 'nobody'"):
        reader(source(queue="work", management_url=f"http://nobody:x@{host}")).lag()


def test_lag_without_the_management_api_is_what_amqp_tells(rabbit, reader, source):
    rabbit.queue("work")
    for number in range(5):
        rabbit.publish(b"%d" % number, "", "work")
    adapter = reader(source(queue="work", prefetch=2))
    [lag] = adapter.lag()
    assert (lag.topic, lag.group, lag.messages, lag.pending, lag.consumers) == ("work", "work", 5, None, 0)
    adapter.poll(10, 5)
    [lag] = adapter.lag()
    assert (lag.messages, lag.consumers) == (3, 1)


def test_lag_with_the_management_api_tells_of_every_queue_of_the_exchange(rabbit, reader, source):
    rabbit.exchange("orders", "topic")
    rabbit.channel.queue_bind(rabbit.queue("shipping"), "orders", "order.*")
    tap = source(exchange="orders", management_url=rabbit.management_url, prefetch=2)
    adapter = reader(tap)
    adapter.poll(1, 0.1)
    sent_at = int(time.time()) - 100
    for _ in range(5):
        rabbit.publish(b"1", "orders", "order.placed", timestamp=sent_at)
    adapter.poll(10, 5)
    deadline = time.monotonic() + 30
    while True:  # the API's figures are some seconds old
        lags = {lag.group: lag for lag in adapter.lag()}
        own, shipping = lags[f"eventhub.{tap.name}"], lags["shipping"]
        if own.pending == 2 and shipping.messages == 5 and shipping.in_per_s is not None:
            break
        assert time.monotonic() < deadline, lags
        time.sleep(0.5)
    assert (own.topic, own.messages, own.consumers) == ("orders", 3, 1)
    assert (shipping.topic, shipping.consumers) == ("orders", 0)
    assert timedelta(seconds=95) < shipping.oldest_age < timedelta(seconds=200)
