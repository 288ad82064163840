"""Where EventHub may connect to, when people say where: addresses of sources, registries and webhooks (SSRF).

A name is resolved once, every address that it has is looked at, and the connection goes to one that was looked at:
so a name that means something else a moment later (DNS rebinding) leads nowhere new. Clients of brokers resolve names
by themselves: for these the look comes before each connection, and what the network lets through is the second line.
"""

import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings

Address = IPv4Address | IPv6Address
# Where clouds tell a machine its credentials; beside the link-local ones (169.254.169.254, fd00:ec2::254 is private).
METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254"))
)


class NotAllowed(OSError):
    """EventHub does not connect there. The text says why, and which setting allows it."""


def check_host(host: str, port: int | None = None) -> list[Address]:
    """The addresses of `host`, all of them allowed. Raises NotAllowed; OSError where the name is not known."""
    if host.lower() in _allowed_names():
        return []
    try:
        told = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label that is empty or too long is no name
        raise OSError(f"{host[:200]!r} is not a host's name.") from error
    found = [ip_address(one[4][0]) for one in told]
    for address in found:
        check_address(address, host)
    return found


def check_address(address: Address, host: str = "") -> None:
    """Raises NotAllowed for an address that nobody may name, or nobody may name here."""
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    said = host if host and host != str(address) else ""
    named = f"{said} is {address}" if said else str(address)
    if address in METADATA or address.is_link_local or address.is_multicast or address.is_unspecified:
        raise NotAllowed(
            f"{named}: EventHub never connects to link-local, metadata, multicast and unspecified addresses."
        )
    if any(address in network for network in _allowed_networks()):
        return
    if (address.is_private or address.is_loopback or address.is_reserved) and not getattr(
        settings, "OUTGOING_PRIVATE", True
    ):
        raise NotAllowed(
            f"{named}: a private address. Add it (or its network, or the host's name) to OUTGOING_ALLOW."
        )


def connect(
    address: tuple[str, int], timeout: Any = None, source_address: tuple[str, int] | None = None, **_: Any
) -> socket.socket:
    """As `socket.create_connection`, to an address that was looked at. Raises NotAllowed, OSError."""
    host, port = address
    if host.lower() in _allowed_names():
        return socket.create_connection(address, timeout, source_address)
    last: OSError | None = None
    for found in check_host(host, port):
        try:
            return socket.create_connection((str(found), port), timeout, source_address)
        except OSError as error:
            last = error
    raise last or NotAllowed(f"{host} has no address.")


def check_config(config: Any) -> None:
    """Look at every address in the config of a source. Raises NotAllowed. Unknown names are left to the client."""
    for host in hosts_in(config):
        try:
            check_host(host)
        except NotAllowed:
            raise
        except OSError:
            continue  # the client says it in the words that people know of this broker


def hosts_in(value: Any, key: str = "") -> Iterable[str]:
    """The hosts that a config names: in URLs, and in lists of ``host:port`` under keys that say so."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from hosts_in(part, str(name))
    elif isinstance(value, list | tuple):
        for part in value:
            yield from hosts_in(part, key)
    elif isinstance(value, str):
        if "://" in value:
            for part in value.replace(";", ",").split(","):
                host = urlsplit(part.strip() if "://" in part else f"//{part.strip()}").hostname
                if host:
                    yield host
        elif key.replace(".", "_") in ("bootstrap_servers", "metadata_broker_list"):
            for part in value.split(","):
                if host := urlsplit(f"//{part.strip()}").hostname:
                    yield host


def _allowed_names() -> set[str]:
    return {one.lower() for one in _allow() if not _is_network(one)}


def _allowed_networks() -> list[Any]:
    return [ip_network(one, strict=False) for one in _allow() if _is_network(one)]


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def _allow() -> list[str]:
    # The outbox's relay publishes in projects that know nothing of this.
    return list(getattr(settings, "OUTGOING_ALLOW", []))
