"""urllib3 to addresses that people name: each connection goes to one that was looked at.

A name is resolved when a connection is opened, what it means is looked at, and the socket goes there
(`eventhub.access.outgoing`): so a name that means something else a moment later leads nowhere new.
"""

import socket
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

from eventhub.access import outgoing


def _open(connection: Any) -> socket.socket:
    timeout = connection.timeout
    seconds = timeout if isinstance(timeout, int | float) else None
    host = connection._dns_host
    try:
        opened = outgoing.connect((host, connection.port), seconds)
    except socket.gaierror as error:
        raise NameResolutionError(host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"{host} does not answer in time") from error
    except OSError as error:
        raise NewConnectionError(connection, str(error)) from error
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


class _Connection(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _open(self)


class _SecureConnection(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _open(self)  # the certificate is still held against the host's name


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


POOLS = {"http": _Pool, "https": _SecurePool}


def pool_manager(**options: Any) -> urllib3.PoolManager:
    """A PoolManager that connects only where EventHub may."""
    manager = urllib3.PoolManager(**options)
    manager.pool_classes_by_scheme = POOLS
    return manager
