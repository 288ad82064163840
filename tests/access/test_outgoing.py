import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from ipaddress import ip_address
from typing import Any

import pytest

from eventhub.access import outgoing
from eventhub.access.outgoing_http import opener
from eventhub.brokers.adapter import BadConfig, open_adapter
from eventhub.brokers.models import Kind, Source

NEVER = [
    "169.254.169.254",
    "169.254.1.1",
    "fe80::1",
    "fd00:ec2::254",
    "100.100.100.200",
    "0.0.0.0",
    "::",
    "224.0.0.1",
]
PRIVATE = ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "fc00::1", "::ffff:10.0.0.1"]


@pytest.fixture
def production(settings: Any) -> Any:
    settings.OUTGOING_PRIVATE = False
    settings.OUTGOING_ALLOW = []
    return settings


@pytest.mark.parametrize("address", [*NEVER, "::ffff:169.254.169.254"])
def test_metadata_and_link_local_addresses_are_refused_always(address: str, settings: Any) -> None:
    settings.OUTGOING_PRIVATE = True
    settings.OUTGOING_ALLOW = ["0.0.0.0/0", "::/0"]
    with pytest.raises(outgoing.NotAllowed, match="never connects"):
        outgoing.check_address(ip_address(address))


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_in_production_unless_they_are_listed(
    address: str, production: Any
) -> None:
    with pytest.raises(outgoing.NotAllowed, match="OUTGOING_ALLOW"):
        outgoing.check_address(ip_address(address))
    production.OUTGOING_ALLOW = [
        "127.0.0.0/8",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::1",
        "fc00::/7",
    ]
    outgoing.check_address(ip_address(address))


def test_public_addresses_are_allowed(production: Any) -> None:
    outgoing.check_address(ip_address("93.184.216.34"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.1", "2130706433", "0x7f000001", "localhost", "[::1]".strip("[]")]
)
def test_every_way_of_writing_an_address_is_looked_at(host: str, production: Any) -> None:
    with pytest.raises(outgoing.NotAllowed):
        outgoing.check_host(host)


def test_hosts_are_found_in_every_kind_of_config() -> None:
    config = {
        "bootstrap_servers": "k1:9092,10.0.0.1:9093",
        "registry_url": "http://user:secret@registry:8081",
        "url": "amqp://a:b@r1:5672/;amqp://r2",
        "endpoint_url": "http://[::1]:9324",
        "streams": ["a:b"],
        "settings": {"sasl.oauthbearer.token.endpoint.url": "https://login/token"},
    }
    assert list(outgoing.hosts_in(config)) == ["k1", "10.0.0.1", "registry", "r1", "r2", "::1", "login"]


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        (Kind.REDIS, {"streams": ["x"], "url": "redis://169.254.169.254:80/0"}),
        (Kind.KAFKA, {"topics": ["x"], "bootstrap_servers": "169.254.169.254:80"}),
        (Kind.RABBITMQ, {"queue": "x", "url": "amqp://169.254.169.254:80/"}),
        (Kind.SQS, {"queues": ["x"], "endpoint_url": "http://169.254.169.254"}),
    ],
)
def test_no_source_leads_to_the_metadata_of_a_cloud(kind: str, config: dict[str, Any]) -> None:
    with pytest.raises(BadConfig, match=r"169\.254\.169\.254"):
        open_adapter(Source(name="x", kind=kind, config=config))


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.server.asked.append(self.path)  # type: ignore[attr-defined]
            self.send_response(302 if self.path == "/away" else 200)
            self.send_header("Location", "http://169.254.169.254/latest")
            self.end_headers()

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


def test_a_webhook_reaches_what_is_allowed_and_follows_no_redirect(server: Any, settings: Any) -> None:
    settings.OUTGOING_PRIVATE = True
    address = f"http://127.0.0.1:{server.server_port}"
    assert opener().open(f"{address}/", timeout=5).status == 200
    with pytest.raises(OSError, match="302"):
        opener().open(f"{address}/away", timeout=5)
    settings.OUTGOING_PRIVATE = False
    with pytest.raises(OSError, match="OUTGOING_ALLOW"):
        opener().open(f"{address}/", timeout=5)
    assert server.asked == ["/", "/away"]


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/x"])
def test_a_webhook_speaks_http_alone(address: str) -> None:
    assert opener().open(address) is None


def test_a_name_that_changes_its_meaning_between_look_and_connection_leads_nowhere_new(
    server: Any, production: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: a public address for the look, then a private one. The connection goes to what was looked at."""
    asked: list[str] = []
    real = socket.getaddrinfo

    def rebinding(host: str, port: Any, *args: Any, **kwargs: Any) -> Any:
        if host != "rebind.example":
            return real(host, port, *args, **kwargs)
        asked.append(host)
        address = "203.0.113.7" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(outgoing, "check_address", lambda address, host="": None)
    went_to: list[Any] = []
    monkeypatch.setattr(
        socket,
        "create_connection",
        lambda address, *_: went_to.append(address) or (_ for _ in ()).throw(OSError("no")),
    )
    with pytest.raises(OSError, match="no"):
        outgoing.connect(("rebind.example", server.server_port), 1)
    assert asked == ["rebind.example"]
    assert went_to == [("203.0.113.7", server.server_port)]
