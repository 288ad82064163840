"""Loopback ports for servers under test."""

import os
import random
import socket

# Below the range that the kernel gives to outgoing connections: a client that tries to connect again to a server
# which is down must never be given that server's own port.
FIRST, LAST = 20_000, 32_000


# "1/2": the ports of the second of two processes that test side by side. What is free may be somebody's a moment later.
LANE = "EVENTHUB_TEST_LANE"


def free_port() -> int:
    """A port that nobody listens on now, and that no other process of this run takes."""
    number, of = map(int, os.environ.get(LANE, "0/1").split("/"))
    anything = random.SystemRandom()  # hypothesis sets the seed of the other, and alike in every process
    while True:
        port = anything.randint(FIRST // of, LAST // of) * of + number
        if is_free(port):
            return port


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def accepts(port: int) -> bool:
    """Whether somebody listens on this port of 127.0.0.1."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=2).close()
    except OSError:
        return False
    return True
