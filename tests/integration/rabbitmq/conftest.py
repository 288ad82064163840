"""A virtual host for each test, a bare client beside the adapter, and sources that read there."""

import base64
import json
import time
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen
from uuid import uuid4

import amqp
import pytest

from eventhub.brokers.adapter import open_adapter
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import OutgoingMessage


class Rabbit:
    """A virtual host on RabbitMQ, and a bare client of it."""

    def __init__(self, address, virtual_host):
        self.address = address
        self.virtual_host = virtual_host
        self._parts = urlsplit(address.url)
        self._connection = None

    @property
    def url(self):
        """What a source's config has."""
        return f"amqp://{self._parts.netloc}/{quote(self.virtual_host, safe='')}"

    @property
    def management_url(self):
        return self.address.management_url

    def connect(self):
        parts = self._parts
        connection = amqp.Connection(
            f"{parts.hostname}:{parts.port}",
            userid=parts.username,
            password=parts.password,
            virtual_host=self.virtual_host,
            confirm_publish=True,
        )
        connection.connect()
        return connection

    @property
    def channel(self):
        """A channel with confirmations; a new one when the last was closed by a mistake or a restart."""
        if self._connection is None or not self._connection.connected:
            self._connection = self.connect()
            self._channel = None
        if self._channel is None or not self._channel.is_open:
            self._channel = self._connection.channel()
        return self._channel

    def exchange(self, name, kind="topic", **arguments):
        self.channel.exchange_declare(name, kind, durable=True, auto_delete=False, arguments=arguments)
        return name

    def queue(self, name, kind="classic", **arguments):
        arguments = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.channel.queue_declare(
            name, durable=True, auto_delete=False, arguments={"x-queue-type": kind} | arguments
        )
        return name

    def publish(self, body, exchange="", key="", headers=None, **properties):
        message = amqp.Message(body, delivery_mode=2, application_headers=headers, **properties)
        self.channel.basic_publish(message, exchange, key)

    def waiting(self, queue):
        return self.channel.queue_declare(queue, passive=True).message_count

    def get(self, queue, timeout_s=10, no_ack=True):
        """The next message of a queue, taken from it; without `no_ack`, to be acknowledged or rejected."""
        deadline = time.monotonic() + timeout_s
        while (message := self.channel.basic_get(queue, no_ack=no_ack)) is None:
            assert time.monotonic() < deadline, f"nothing came to {queue}"
            time.sleep(0.05)
        return message

    def api(self, method, path, body=None):
        """Ask the management API; `{vhost}` in the path is this one."""
        base = urlsplit(self.address.management_url)
        path = path.replace("{vhost}", quote(self.virtual_host, safe=""))
        request = Request(
            f"{base.scheme}://{base.hostname}:{base.port}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Content-Type": "application/json",
                "Authorization": basic(base.username, base.password),
            },
        )
        with urlopen(request, timeout=20) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def close(self):
        """Let go of the connection, whatever became of it; the next question makes a new one."""
        if self._connection is not None:
            self._connection.collect()
            self._connection = None


def events(start, stop, **more):
    """Events with ids of their own, one for each number."""
    for number in range(start, stop):
        event = {"event_id": f"e-{number}", "event_type": "order.placed", "timestamp": "2026-11-25T10:00:00Z"}
        yield json.dumps(event | {"data": {"n": number}} | more).encode()


def fill(adapter, bodies, queue="work"):
    adapter.publish([OutgoingMessage(body, queue) for body in bodies])


def wait(condition, runner, timeout_s=60):
    """Until it holds, while the loop of a source runs."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, runner.last_error
        time.sleep(0.1)


def basic(user, password):
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def on_virtual_host(address):
    rabbit = Rabbit(address, f"t-{uuid4().hex[:8]}")
    rabbit.api("PUT", "vhosts/{vhost}", {})
    user = urlsplit(address.url).username
    rabbit.api("PUT", f"permissions/{{vhost}}/{user}", {"configure": ".*", "write": ".*", "read": ".*"})
    return rabbit


@pytest.fixture
def rabbit(rabbitmq):
    rabbit = on_virtual_host(rabbitmq)
    yield rabbit
    rabbit.close()
    rabbit.api("DELETE", "vhosts/{vhost}")


@pytest.fixture
def source(rabbit):
    """Makes a source of the virtual host; `saved` ones have a row."""

    def make(*, saved=False, role="events", **config):
        source = Source(
            name=f"t-{uuid4().hex[:8]}", kind=Kind.RABBITMQ, role=role, config={"url": rabbit.url} | config
        )
        if saved:
            source.save()
        return source

    return make


@pytest.fixture
def reader():
    """Opens adapters, and closes them in the end."""
    opened = []

    def open_one(source, consumer="w1"):
        opened.append(open_adapter(source, consumer))
        return opened[-1]

    yield open_one
    for adapter in opened:
        adapter.close()


def take(adapter, count, timeout_s=20):
    """Poll until `count` messages came; with 0, for a while in which none may come."""
    taken = []
    deadline = time.monotonic() + (timeout_s if count else 1.0)
    while len(taken) < count or (not count and time.monotonic() < deadline):
        assert time.monotonic() < deadline, f"{len(taken)} of {count} messages came"
        taken += adapter.poll(1000, 0.3)
    return taken


def bodies(messages):
    return [message.body for message in messages]


def sent_again(message, **changes):
    """A message as the dead-letter tools send it: with the bytes, headers and properties that were read."""
    return OutgoingMessage(
        message.body,
        message.topic,
        message.header_pairs(),
        message.key,
        properties={**message.properties, **changes},
    )
