"""Registries, RabbitMQ's management and the OpenID provider: connections go to addresses that were looked at."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
import requests

from eventhub.access import outgoing
from eventhub.access.outgoing_requests import session
from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.config import read_config
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.rabbitmq.management import Management
from eventhub.events.wire_format.registry import Registry, RegistryError

NAME = "rebind.example"


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    """Something private that answers, and counts who asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.asked.append(self.path)  # type: ignore[attr-defined]
            body = b"[]"
            self.send_response(302 if "away" in self.path else 200)
            self.send_header("Location", "http://169.254.169.254/latest")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    made = HTTPServer(("127.0.0.1", 0), Handler)
    made.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def rebinding(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[str]:
    """A name that means a public address whenever it is looked at first, and this machine after that."""
    settings.OUTGOING_PRIVATE = False
    settings.OUTGOING_ALLOW = []
    asked: list[str] = []
    real = socket.getaddrinfo

    def told(host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != NAME:
            return real(host, port, *args, **kwargs)
        asked.append(host)
        # Nobody is there (TEST-NET-3 is reserved, so it stands for a public one only here).
        address = "203.0.113.7" if len(asked) % 2 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    went_to: list[str] = []
    create = socket.create_connection

    def connect(address: Any, *args: Any, **kwargs: Any) -> Any:
        went_to.append(address[0])
        if address[0] == "203.0.113.7":
            raise ConnectionRefusedError("nobody is there")
        return create(address, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", told)
    monkeypatch.setattr(socket, "create_connection", connect)
    check = outgoing.check_address
    monkeypatch.setattr(
        outgoing,
        "check_address",
        lambda address, host="": None if str(address) == "203.0.113.7" else check(address, host),
    )
    return went_to


def management(url: str) -> Management:
    config = read_config(
        Source(name="x", kind=Kind.RABBITMQ, config={"queue": "q", "url": "amqp://h/", "management_url": url})
    )
    return Management(config)  # type: ignore[arg-type]


def ask(what: str, address: str) -> None:
    match what:
        case "registry":
            Registry(address).subjects()
        case "management":
            management(address).bindings("x")
        case "provider":
            session().get(address, timeout=5)


WAYS = ["registry", "management", "provider"]
REFUSED = (RegistryError, BrokerError, requests.RequestException)


@pytest.mark.parametrize("what", WAYS)
def test_a_name_that_changes_its_meaning_leads_nowhere_private(
    what: str, server: Any, rebinding: list[str]
) -> None:
    with pytest.raises(REFUSED):
        ask(what, f"http://{NAME}:{server.server_port}")
    assert set(rebinding) <= {"203.0.113.7"}
    assert server.asked == []


@pytest.mark.parametrize("what", WAYS)
def test_a_private_address_is_refused_in_production_and_reached_when_it_is_listed(
    what: str, server: Any, settings: Any
) -> None:
    settings.OUTGOING_PRIVATE = False
    settings.OUTGOING_ALLOW = []
    address = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(REFUSED, match="OUTGOING_ALLOW"):
        ask(what, address)
    assert server.asked == []
    settings.OUTGOING_ALLOW = ["127.0.0.1"]
    ask(what, address)
    assert len(server.asked) == 1


@pytest.mark.parametrize("what", ["registry", "provider"])
def test_a_redirect_to_the_metadata_of_a_cloud_is_not_followed(what: str, server: Any, settings: Any) -> None:
    settings.OUTGOING_PRIVATE = True
    with pytest.raises(REFUSED):
        ask(what, f"http://127.0.0.1:{server.server_port}/away")


def test_answers_are_those_of_the_server(server: Any, settings: Any) -> None:
    settings.OUTGOING_PRIVATE = True
    address = f"http://localhost:{server.server_port}"
    assert json.loads(session().get(address, timeout=5).text) == []
    assert Registry(address).subjects() == []
