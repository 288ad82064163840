"""What goes wrong: each fault with how long it lasts, who has to go on meanwhile, and which alerts it must raise."""

import random
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta

import psycopg
import redis

from tests.chaos.whole.installation import Installation

ALL = frozenset({"kafka", "rabbitmq", "sqs", "redis", "http"})
FLOOD = 60_000
# What two batches and their writing take; a flood that was read ahead would be more.
MOST_GROWN_MIB = 120.0
PILE = """
from eventhub.handlers.tasks import work
from monitoring.tasks import alert
for _ in range(1000):
    work.apply_async(queue="handlers", expires=600)
    alert.apply_async(expires=600)
"""
SKEWS = {"kafka": timedelta(hours=3), "rabbitmq": timedelta(days=-2), "http": timedelta(minutes=-10)}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    # As the table of docs/reliability.md calls it.
    name: str
    # Lets it happen; returns when it is over.
    happen: Callable[[Installation], None]
    # The sources whose events are stored meanwhile as if nothing were.
    spares: frozenset[str] = frozenset()
    # Whether every page is served meanwhile.
    pages: bool = False
    # The sources of which people must be told that nothing comes.
    alerts: frozenset[str] = frozenset()
    needs_disk: bool = False

    @property
    def part(self) -> str:
        """What its events' ids begin with, and what it is chosen by."""
        return self.name.replace("'", "").replace(" ", "-").lower()


def killed(name: str) -> Callable[[Installation], None]:
    """With -9, once; whoever looks after it starts it again."""
    return lambda hub: hub.kill(name)


def down(name: str, seconds: float) -> Callable[[Installation], None]:
    """A broker that is killed and away for a while."""

    def happen(hub: Installation) -> None:
        hub.servers[name].kill()
        time.sleep(seconds)
        hub.servers[name].start()

    return happen


def restarted(name: str) -> Callable[[Installation], None]:
    """PostgreSQL or Redis is asked to end, as an upgrade does."""
    return lambda hub: hub.stop_politely(name)


def frozen(name: str, seconds: float) -> Callable[[Installation], None]:
    """Stopped in the middle of whatever it does, and let go on after a while."""

    def happen(hub: Installation) -> None:
        with hub.frozen(name):
            time.sleep(seconds)

    return happen


def one_of_the_pool_killed(hub: Installation) -> None:
    """A process of a worker's pool, four times."""
    for name in ("handlers", "tasks", "handlers", "tasks"):
        children = hub.group(name)[1:]
        if children:
            random.choice(children).kill()
        time.sleep(2)


def disk_full(hub: Installation) -> None:
    """PostgreSQL can write nothing for a while."""
    with hub.full_disk():
        time.sleep(12)


def connections_exhausted(hub: Installation) -> None:
    """Nobody gets a connection to PostgreSQL for a while."""
    with hub.no_connections_left():
        time.sleep(12)


def clocks_wrong(hub: Installation) -> None:
    """Producers whose clocks are hours and days off."""
    for name, skew in SKEWS.items():
        hub.senders[name].skew = skew
    time.sleep(10)
    for name in SKEWS:
        hub.senders[name].skew = timedelta()


def flooded(hub: Installation) -> None:
    """One source gets more at once than all together in minutes."""
    hub.senders["kafka"].flood(FLOOD, "chaos.flood")
    time.sleep(8)


def redis_full(hub: Installation) -> None:
    """Redis takes nothing more for a while."""
    with redis.Redis.from_url(hub.redis_url) as client:
        client.config_set("maxmemory", "100kb")
        try:
            time.sleep(12)
        finally:
            client.config_set("maxmemory", "0")


def tasks_piled_up(hub: Installation) -> None:
    """Thousands of tasks in the workers' queues, of those that are sent all the time."""
    hub.product.manage("shell", "-c", PILE)


def database_slow(hub: Installation) -> None:
    """Brokers deliver far more than the database takes in; what waits has to wait at the brokers."""
    before = hub.memory_of("ingest")
    with psycopg.connect(hub.database.url) as connection:
        connection.execute("LOCK TABLE events_event IN SHARE MODE")  # writers wait
        hub.senders["kafka"].flood(FLOOD, "chaos.flood")
        time.sleep(8)
        grown = hub.memory_of("ingest") - before
    assert grown < MOST_GROWN_MIB, (
        f"the ingest worker took {grown:.0f} MiB more while the database did not keep up"
    )


def everything(hub: Installation) -> None:
    """Several at once, in an order of chance."""
    moments = random.Random()
    with ExitStack() as later:
        for name in moments.sample(["ingest", "tasks", "handlers", "postgres", "redis", "web", "beat"], 4):
            hub.kill(name)
            time.sleep(moments.uniform(0.5, 3))
        broker = moments.choice(["kafka", "rabbitmq", "sqs"])
        hub.servers[broker].kill()
        later.callback(hub.servers[broker].start)
        with hub.frozen(moments.choice(["ingest", "web"])):
            time.sleep(6)


FAULTS = (
    Fault("ingest worker killed", killed("ingest"), pages=True, spares=frozenset({"http"})),
    Fault("PostgreSQL killed", killed("postgres")),
    Fault("Kafka down", down("kafka", 20), spares=ALL - {"kafka"}, pages=True, alerts=frozenset({"kafka"})),
    Fault("web server killed", killed("web"), spares=ALL - {"http"}),
    Fault("task worker killed", killed("tasks"), spares=ALL, pages=True),
    Fault("handlers' worker killed", killed("handlers"), spares=ALL, pages=True),
    Fault("processes of workers' pools killed", one_of_the_pool_killed, spares=ALL, pages=True),
    Fault("scheduler killed", killed("beat"), spares=ALL, pages=True),
    Fault("PostgreSQL restarted", restarted("postgres")),
    Fault("Redis killed", killed("redis"), spares=ALL - {"redis"}, pages=True),
    Fault("Redis restarted", restarted("redis"), spares=ALL - {"redis"}, pages=True),
    Fault(
        "RabbitMQ down",
        down("rabbitmq", 20),
        spares=ALL - {"rabbitmq"},
        pages=True,
        alerts=frozenset({"rabbitmq"}),
    ),
    Fault("ElasticMQ down", down("sqs", 20), spares=ALL - {"sqs"}, pages=True, alerts=frozenset({"sqs"})),
    Fault("disk of the database full", disk_full, needs_disk=True),
    Fault("connections of the database exhausted", connections_exhausted),
    Fault("ingest worker frozen", frozen("ingest", 15), spares=frozenset({"http"}), pages=True),
    Fault("task worker frozen", frozen("tasks", 12), spares=ALL, pages=True),
    Fault("handlers' worker frozen", frozen("handlers", 12), spares=ALL, pages=True),
    Fault("web server frozen", frozen("web", 12), spares=ALL - {"http"}),
    Fault("Redis frozen", frozen("redis", 12), spares=ALL - {"redis"}, pages=True),
    Fault("Kafka frozen", frozen("kafka", 15), spares=ALL - {"kafka"}, pages=True),
    Fault("PostgreSQL frozen", frozen("postgres", 10)),
    Fault("clocks of producers wrong", clocks_wrong, spares=ALL, pages=True),
    Fault("one source flooded", flooded, spares=ALL - {"kafka"}, pages=True),
    Fault("Redis full", redis_full, spares=ALL - {"redis"}, pages=True),
    Fault("queues of tasks piled up", tasks_piled_up, spares=ALL, pages=True),
    Fault("database slower than the brokers", database_slow),
    Fault("several at once", everything),
)
