"""Events that come to RabbitMQ by MQTT and STOMP, through its own plugins, spoken here by hand."""

import json
import socket
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest

from eventhub.events.decoding import decode
from tests.integration.rabbitmq.conftest import sent_again, take

EVENT = {"event_id": "e-1", "event_type": "sensor.read", "data": {"celsius": 21.5}}


@pytest.fixture
def adapter(rabbit, reader, source):
    """Taps amq.topic, which is where both plugins publish to."""
    adapter = reader(source(exchange="amq.topic", bindings=["plant.#"]))
    adapter.poll(1, 0.1)
    return adapter


def connect(address):
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=20)
    connection.settimeout(20)
    return connection


def mqtt_publish(rabbit, topic, body):
    """MQTT 3.1.1: CONNECT, PUBLISH with QoS 1, and wait for PUBACK."""
    login = urlsplit(rabbit.url)

    def text(value):
        return len(value.encode()).to_bytes(2, "big") + value.encode()

    def packet(kind, content):
        assert len(content) < 16_384
        size = bytes([len(content) % 128 | 128, len(content) // 128])
        return bytes([kind]) + size + content

    user = f"{rabbit.virtual_host}:{login.username}"
    hello = text("MQTT") + b"\x04\xc2\x00\x3c" + text("sensor-7") + text(user) + text(login.password)
    with connect(rabbit.address.mqtt) as connection:
        connection.sendall(packet(0x10, hello))
        assert connection.recv(4) == b"\x20\x02\x00\x00"
        connection.sendall(packet(0x32, text(topic) + b"\x00\x01" + body))
        assert connection.recv(4) == b"\x40\x02\x00\x01"


def stomp_send(rabbit, destination, body, **headers):
    """STOMP 1.2: CONNECT, SEND, and wait for the receipt."""
    login = urlsplit(rabbit.url)

    def frame(command, body=b"", **headers):
        lines = "".join(f"{name.replace('_', '-')}:{value}\n" for name, value in headers.items())
        return f"{command}\n{lines}\n".encode() + body + b"\0"

    with connect(rabbit.address.stomp) as connection:
        connection.sendall(
            frame(
                "CONNECT",
                accept_version="1.2",
                host=rabbit.virtual_host,
                login=login.username,
                passcode=login.password,
            )
        )
        assert connection.recv(4096).startswith(b"CONNECTED\n")
        connection.sendall(frame("SEND", body, destination=destination, receipt="r-1", **headers))
        assert connection.recv(4096).lstrip(b"\n").startswith(b"RECEIPT\n")


def test_an_event_by_mqtt(rabbit, adapter):
    mqtt_publish(rabbit, "plant/boiler", json.dumps(EVENT).encode())
    [message] = take(adapter, 1)
    assert (message.topic, message.key) == ("amq.topic", "plant.boiler")
    assert message.headers["x-mqtt-publish-qos"] == "1"
    event = decode(message)
    assert (event.event_id, event.event_type) == ("e-1", "sensor.read")
    # Neither MQTT nor the event says when.
    assert abs(datetime.now(UTC) - event.occurred_at) < timedelta(seconds=60)


def test_an_event_by_stomp(rabbit, adapter):
    stomp_send(
        rabbit,
        "/topic/plant.boiler",
        json.dumps(EVENT).encode(),
        content_type="application/json",
        correlation_id="c-1",
        tenant="acme",
    )
    [message] = take(adapter, 1)
    assert (message.topic, message.key) == ("amq.topic", "plant.boiler")
    assert message.headers == {"tenant": "acme", "content-type": "application/json", "receipt": "r-1"}
    assert decode(message).correlation_id == "c-1"


def test_what_came_by_mqtt_is_sent_again_just_so(rabbit, adapter):
    rabbit.channel.queue_bind(rabbit.queue("copies"), "amq.topic", "plant.#")
    mqtt_publish(rabbit, "plant/boiler", b"\x00\xff")
    original = rabbit.get("copies")
    [message] = take(adapter, 1)
    adapter.publish([sent_again(message)])
    again = rabbit.get("copies")
    assert (again.body, again.properties) == (original.body, original.properties)
