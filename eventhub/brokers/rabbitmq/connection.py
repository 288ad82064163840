"""Connections to RabbitMQ, and in words what can go wrong with them."""

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import amqp
import kombu
from amqp import spec

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.configs import RabbitmqConfig

# Each side says something this often, so that the other notices within twice as long that it is gone.
HEARTBEAT_S = 60
CONNECT_TIMEOUT_S = 5.0
# A broker short of memory or disk stops reading. A write that waits longer than this has failed.
WRITE_TIMEOUT_S = 30.0
CLOSE_TIMEOUT_S = 5.0


def connect(config: RabbitmqConfig, name: str) -> Any:
    """py-amqp's connection to the first of the source's addresses that answers; RabbitMQ shows it as `name`.

    Raises BrokerError.
    """
    servers = addresses(config)
    for server in servers[:-1]:
        with suppress(BrokerError):
            return _connect(server, config, name)
    return _connect(servers[-1], config, name)


def close(connection: Any) -> None:
    """Say goodbye and let go, whatever state it is in. Never raises."""
    with suppress(Exception):
        say_goodbye(connection)
        deadline = monotonic() + CLOSE_TIMEOUT_S
        while connection.connected and (left_s := deadline - monotonic()) > 0:
            connection.drain_events(timeout=left_s)
    with suppress(Exception):
        connection.collect()


def say_goodbye(connection: Any) -> None:
    """Ask the broker to close. py-amqp's own way waits for the answer, which a broker short of memory never gives."""
    connection.is_closing = True
    connection.send_method(spec.Connection.Close, "BsBB", (0, "", 0, 0))


def addresses(config: RabbitmqConfig) -> list[kombu.Connection]:
    """The source's addresses, one or several with semicolons between them, taken apart; the password is in each."""
    found = []
    for url in config.url.split(";"):
        parts = urlsplit(url)
        server = kombu.Connection(
            url,
            transport="pyamqp",
            heartbeat=HEARTBEAT_S,
            connect_timeout=CONNECT_TIMEOUT_S,
            ssl={"server_hostname": parts.hostname} if parts.scheme == "amqps" else False,
        )
        server.userid = server.userid or "guest"
        server.password = config.password or server.password or "guest"
        server.port = server.port or (5671 if server.ssl else 5672)
        found.append(server)
    return found


def where(server: kombu.Connection) -> str:
    """Host and port, for people."""
    return f"{server.hostname}:{server.port}"


@contextmanager
def certificate_files(config: RabbitmqConfig) -> Iterator[dict[str, str]]:
    """The config's certificates and key as files, while the block runs: TLS libraries want them so."""
    texts = {
        "ca_certs": config.ca_certificate,
        "certfile": config.client_certificate,
        "keyfile": config.client_key,
    }
    with TemporaryDirectory(prefix="eventhub-tls-") as folder:  # nobody else may look into it
        files = {}
        for name, text in texts.items():
            if text:
                files[name] = f"{folder}/{name}.pem"
                Path(files[name]).write_text(text)
        yield files


@contextmanager
def in_words(server: str) -> Iterator[None]:
    """Whatever py-amqp or the network raises becomes a BrokerError that names `server`, a host and port."""
    try:
        yield
    except (amqp.AMQPError, OSError) as error:
        raise BrokerError(explain(error, server)) from error


def _connect(server: kombu.Connection, config: RabbitmqConfig, name: str) -> Any:
    server.transport_options = {
        "client_properties": {"connection_name": name},
        "write_timeout": WRITE_TIMEOUT_S,
        # py-amqp's own is a second, which a busy broker exceeds.
        "socket_settings": {socket.TCP_USER_TIMEOUT: int(1000 * WRITE_TIMEOUT_S)},
    }
    with in_words(where(server)), certificate_files(config) as files:
        if isinstance(server.ssl, dict):
            server.ssl = {**server.ssl, **files}
        try:
            return server.transport.establish_connection()
        except amqp.AccessRefused as error:
            raise BrokerError(
                f"RabbitMQ at {where(server)} does not let {server.userid!r} in with this password. Check both."
            ) from error


# What RabbitMQ says, and what to do about it: https://www.rabbitmq.com/docs/channels#error-handling
_SAYINGS = (
    (
        r"vhost (.+) not found",
        "There is no virtual host '{0}' on RabbitMQ at {server}. Check the end of the address.",
    ),
    (
        r"access to vhost '(.+)' refused",
        "The user may not use the virtual host '{0}'. Give it permissions there.",
    ),
    (
        r"no (exchange|queue) '(.+)' in vhost '(.+)'",
        "There is no {0} '{1}' in the virtual host '{2}'. Check the name, or have the {0} made first.",
    ),
    (
        r"inequivalent arg '(.+)' for queue '(.+)' in vhost .+?: (.+)",
        "The queue '{1}' is there with other settings ({0}: {2}). Name another queue, or set the source to what it is.",
    ),
    (
        r"access to (.+) refused",
        "RabbitMQ does not permit it: access to {0} refused. Give the user the permission.",
    ),
    (r"exclusive access to locked queue '(.+?)'", "The queue '{0}' belongs to another connection alone."),
)
_OF_TYPE: Mapping[type[BaseException], str] = {
    socket.gaierror: "The host of {server} is not known. Check the address.",
    ConnectionRefusedError: "{server} refused the connection: nothing listens there. Check that RabbitMQ runs, and "
    "host and port.",
    ssl.SSLCertVerificationError: "The certificate of {server} is not trusted: {error}. Check the authority in "
    "ca_certificate, and that the certificate is for this host.",
    ssl.SSLError: "TLS with {server} fails: {error}. Check that this is RabbitMQ's port for TLS, and the certificates.",
    # Also from servers of another protocol, which wait for the end of a request that AMQP does not have.
    TimeoutError: "RabbitMQ at {server} does not answer. Check the address, that this is its port for AMQP, and that "
    "nothing blocks the way to it.",
    OSError: "The connection to RabbitMQ at {server} broke: {error}. Check that it runs, and that this is its port for "
    "AMQP.",
    amqp.ConsumerCancelled: "RabbitMQ at {server} ended the reading: the queue was deleted, or its node went away.",
}


def explain(error: BaseException, server: str) -> str:
    """What happened and what to do, for people."""
    for kind, text in _OF_TYPE.items():
        if isinstance(error, kind):
            return text.format(server=server, error=str(error).rstrip("."))
    said = str(getattr(error, "reply_text", None) or error)
    for pattern, text in _SAYINGS:
        if found := re.search(pattern, said):
            return text.format(*found.groups(), server=server)
    return f"RabbitMQ at {server} refused: {said}"
