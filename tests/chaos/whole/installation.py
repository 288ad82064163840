"""The installation under chaos: the product as `make run` starts it, and brokers of its own."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import redis
from confluent_kafka.admin import AdminClient

from eventhub.brokers.adapter import open_adapter
from eventhub.brokers.models import Source
from eventhub.running.environment import read_environment
from eventhub.running.postgres import running_pid
from tests.chaos.rabbitmq_in_chaos import RabbitmqInChaos
from tests.chaos.whole.load import Publisher, Sender, ToBroker, ToHttp, wait_for
from tests.chaos.whole.looking import Database, Pages
from tests.integration.under_test import make_topic
from tests.services.brokers import own_server
from tests.services.elasticmq import REGION, ElasticMQServer
from tests.services.kafka import KafkaServer
from tests.services.product import Product, product_folder
from tests.services.rabbitmq import RabbitServer
from tests.services.server import Server

PASSWORD = "trial-by-fire"
# The module of the handler, for EVENT_HANDLERS, and the table that it writes to.
EFFECTS = "tests.chaos.whole.effects"
EFFECTS_TABLE = (
    "CREATE TABLE IF NOT EXISTS chaos_effect (event_id text NOT NULL, at timestamptz NOT NULL DEFAULT now())"
)
TOPIC = "chaos.whole"
QUEUE = "chaos-whole"
# Events a second of each source, times CHAOS_LOAD.
PER_S = {"kafka": 60.0, "rabbitmq": 40.0, "sqs": 15.0, "redis": 30.0, "http": 15.0}
LOAD = float(os.environ.get("CHAOS_LOAD", "1"))
# The database's disk, where it can be had.
DISK_MB = 2_048
ABSENCE_S = 10
PREPARE = """
import json, os
from eventhub.brokers.models import Source
from monitoring.alerts.models import AlertRule
for name, kind, config in json.loads(os.environ["CHAOS_SOURCES"]):
    source = Source.objects.create(name=name, kind=kind, config=config)
    AlertRule.objects.create(
        name=name, condition="absence", event_type=f"chaos.{name}", window_s=int(os.environ["CHAOS_ABSENCE_S"]),
        for_s=0, keep_firing_s=0,
    )
"""
# As ps(1) shows them.
COMMANDS = {
    "web": "uvicorn",
    "ingest": "--ingest",
    "tasks": "--queues tasks",
    "handlers": "--queues handlers",
    "beat": " beat ",
}


@dataclass
class Installation:
    """Everything that can fail, and everything to look at."""

    product: Product
    servers: dict[str, Server[Any]]
    sources: dict[str, Source]
    database: Database
    redis_url: str
    senders: dict[str, Sender] = field(default_factory=dict)
    pages: Pages | None = None
    disk: Path | None = None

    # -- processes --------------------------------------------------------------------------------

    def program(self, name: str) -> psutil.Process | None:
        """One of those that `up` supervises."""
        assert self.product.process is not None
        for process in psutil.Process(self.product.process.pid).children():
            with suppress(psutil.Error):
                if COMMANDS[name] in " ".join(process.cmdline()):
                    return process
        return None

    def group(self, name: str) -> list[psutil.Process]:
        """A program with its children, or all processes of a server."""
        if name in COMMANDS:
            wait_for(f"{name} to run", lambda: self.program(name), 60)
            top = self.program(name)
        elif name == "postgres":
            pid = running_pid(self.product.var_dir / "postgres")
            top = psutil.Process(pid) if pid else None
        elif name == "redis":
            top = psutil.Process(int((self.product.var_dir / "redis" / "redis.pid").read_text()))
        else:
            top = self.servers[name].processes.alive()["server"]
        assert top is not None, f"{name} does not run"
        return [top, *top.children(recursive=True)]

    def kill(self, name: str) -> None:
        """With -9, all of it at once."""
        for process in self.group(name):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """It neither ends nor answers."""
        processes = self.group(name)
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()

    def stop_politely(self, name: str) -> None:
        """As an operator or an upgrade does."""
        number = signal.SIGINT if name == "postgres" else signal.SIGTERM
        with suppress(psutil.NoSuchProcess):
            self.group(name)[0].send_signal(number)

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Not a byte is left on the disk of the database."""
        assert self.disk is not None
        ballast = self.disk / "ballast"
        with ballast.open("wb") as file, suppress(OSError):
            while True:  # it takes what PostgreSQL would get
                file.write(b"\0" * (1 << 20))
                file.flush()
        try:
            yield
        finally:
            ballast.unlink()

    @contextmanager
    def no_connections_left(self) -> Iterator[None]:
        """Somebody else holds every connection that PostgreSQL gives."""
        held: list[psycopg.Connection[Any]] = []

        def take() -> None:
            with suppress(psycopg.OperationalError):
                while True:
                    held.append(psycopg.connect(self.database.url, connect_timeout=3))

        take()
        # Whoever loses a connection meanwhile does not get it back.
        for process in ("ingest", "tasks", "handlers"):
            self.kill(process)
        time.sleep(0.5)
        take()
        try:
            yield
        finally:
            for connection in held:
                connection.close()

    # -- looking ----------------------------------------------------------------------------------

    def status_of(self, name: str) -> str:
        """What the product says of a source."""
        rows = self.database.rows(
            "SELECT state, last_error FROM brokers_sourcestatus s JOIN brokers_source b ON b.id = s.source_id"
            " WHERE b.name = %s",
            name,
        )
        return str(rows)

    def memory_of(self, name: str) -> float:
        """What a program and its children occupy, in MiB; pages that several share are counted once."""
        return sum(process.memory_full_info().pss for process in self.group(name)) / (1 << 20)

    def deliveries(self) -> str:
        """How its handler's work stands."""
        return str(
            self.database.rows(
                "SELECT state, lost, count(*), count(*) FILTER (WHERE lease_until > now()) AS in_hand,"
                " now() - min(due_at) AS waits FROM handlers_delivery WHERE state <> 'done' GROUP BY 1, 2"
            )
        )

    def left_at(self, name: str) -> int | None:
        """What the broker still holds for the product; None when it cannot be asked."""
        if name == "http":
            return 0
        try:
            adapter = open_adapter(self.sources[name], "looking")
            try:
                lags = [lag for lag in adapter.lag() if lag.group or name in ("sqs", "rabbitmq")]
            finally:
                adapter.close()
        except Exception:  # noqa: BLE001 - it is restarted just now
            return None
        return sum((lag.messages or 0) + (lag.pending or 0) for lag in lags)


@contextmanager
def installation(names: Sequence[str] = tuple(PER_S), disk: bool = True) -> Iterator[Installation]:
    """The whole, up and healthy, with these sources; gone afterwards. `disk`: a small one that can be filled."""
    kinds = {"kafka": KafkaServer, "rabbitmq": RabbitServer, "sqs": ElasticMQServer}
    with ExitStack() as stack:
        servers: dict[str, Server[Any]] = {
            name: stack.enter_context(own_server(kind)) for name, kind in kinds.items() if name in names
        }
        folder = stack.enter_context(product_folder())
        place = stack.enter_context(_small_disk(folder)) if disk else None
        product = Product(
            folder, DEMO="0", ADMIN_PASSWORD=PASSWORD, EVENT_HANDLERS=EFFECTS, LOG_LEVEL="WARNING"
        )
        stack.callback(_stop, product)
        product.start().wait_until_ready()
        yield stack.enter_context(under_load(product, names, servers, PASSWORD, place))


@contextmanager
def under_load(
    product: Product,
    names: Sequence[str],
    servers: dict[str, Server[Any]],
    password: str,
    disk: Path | None = None,
) -> Iterator[Installation]:
    """A product that runs, with these sources, a producer for each, and somebody who looks at its pages.

    It was started with the handlers of `effects`.
    """
    known = read_environment(product.var_dir)
    with ExitStack() as stack:
        database = Database(known["DATABASE_URL"])
        stack.callback(database.close)
        with psycopg.connect(database.url) as connection:
            connection.execute(EFFECTS_TABLE)
        sources = {name: _source(name, servers) for name in names}
        hub = Installation(product, servers, sources, database, known["REDIS_URL"], disk=disk)
        _prepare(hub)
        token = product.manage("token", "create", "chaos", "--scope", "ingest")
        for name in names:
            hub.senders[name] = Sender(name, _publisher(name, hub, token), PER_S[name] * LOAD)
            stack.callback(hub.senders[name].stop)
        hub.pages = Pages(product.url, password)
        stack.callback(hub.pages.stop)
        yield hub


def _stop(product: Product) -> None:
    product.stop(timeout_s=90)


@contextmanager
def _small_disk(folder: Path) -> Iterator[Path | None]:
    """A small disk of its own for the database; None where mounting one is not permitted."""
    place = folder / "postgres"
    place.mkdir(mode=0o700)
    options = f"size={DISK_MB}m,mode=0700"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    mounted = (
        shutil.which("mount") and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )
    if not mounted:
        place.rmdir()
        yield None
        return
    try:
        yield place
    finally:
        for _ in range(50):
            if subprocess.run(["umount", str(place)], capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.2)
        else:
            subprocess.run(["umount", "--lazy", str(place)], capture_output=True, check=False)


def _source(name: str, servers: dict[str, Server[Any]]) -> Source:
    config: dict[str, Any] = {}
    if name == "kafka":
        address = servers[name].address.bootstrap_servers
        make_topic(AdminClient({"bootstrap.servers": address}), TOPIC, partitions=2)
        config = {"bootstrap_servers": address, "topics": [TOPIC]}
    elif name == "rabbitmq":
        config = RabbitmqInChaos(servers[name], "quorum").config  # type: ignore[arg-type]
    elif name == "sqs":
        address = servers[name].address
        address.client().create_queue(QueueName=QUEUE)
        config = {
            **{"queues": [QUEUE], "endpoint_url": address.endpoint_url, "region": REGION},
            **{"access_key_id": "chaos", "secret_access_key": "chaos", "visibility_timeout_s": 15},
        }
    elif name == "redis":
        config = {"streams": [TOPIC]}
    return Source(name=name, kind=name, config=config)


def _publisher(name: str, hub: Installation, token: str) -> Publisher:
    if name == "http":
        return ToHttp(hub.product.url, token, name)
    source = hub.sources[name]
    if name == "rabbitmq":
        return ToBroker(source, "", exchange=source.config["exchange"], routing_key="chaos")
    if name == "redis":
        # The test's settings name another Redis: this one is told.
        source = hub.sources[name] = Source(
            name=name, kind=name, config={**source.config, "url": hub.redis_url}
        )
        with redis.Redis.from_url(hub.redis_url) as client:
            client.ping()
    return ToBroker(source, QUEUE if name == "sqs" else TOPIC)


def _prepare(hub: Installation) -> None:
    told = json.dumps([[one.name, one.kind, one.config] for one in hub.sources.values()])
    os.environ["CHAOS_SOURCES"], os.environ["CHAOS_ABSENCE_S"] = told, str(ABSENCE_S)
    try:
        hub.product.manage("shell", "-c", PREPARE)
    finally:
        del os.environ["CHAOS_SOURCES"], os.environ["CHAOS_ABSENCE_S"]
