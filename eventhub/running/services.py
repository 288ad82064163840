"""PostgreSQL and Redis for a run: those named in the environment, else our own."""

import secrets
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from eventhub.running.keeping import EmbeddedServer
from eventhub.running.options import Options
from eventhub.running.postgres import EmbeddedPostgres
from eventhub.running.redis import EmbeddedRedis

DEMO_HANDLERS = "eventhub.demo.loyalty"
# What else the shop builds on EventHub: its express orders, a saga over streams.
DEMO_MODULES = (DEMO_HANDLERS, "eventhub.demo.checkout")
# Called with what stops a service, so that it is stopped whatever happens next.
OnStop = Callable[[Callable[[], None]], object]
# The servers of our own, by name; they are kept running.
Own = dict[str, EmbeddedServer]


def provide_postgres(environ: Mapping[str, str], var_dir: Path, on_stop: OnStop, own: Own) -> tuple[str, str]:
    """The address for ``DATABASE_URL`` and a few words about it; one that was started here is put into `own`."""
    if given := environ.get("DATABASE_URL"):
        return given, f"{_place(given)}, from DATABASE_URL"
    postgres = EmbeddedPostgres(var_dir / "postgres")
    on_stop(postgres.stop)
    postgres.start()
    own["postgres"] = postgres
    return postgres.url, f"embedded, data in {_short(postgres.data_dir)}"


def provide_redis(
    environ: Mapping[str, str], known: Mapping[str, str], var_dir: Path, on_stop: OnStop, own: Own
) -> tuple[str, str]:
    """The address for ``REDIS_URL`` and a few words about it; `known` is what the last run wrote down.

    One that was started here is put into `own`.
    """
    if given := environ.get("REDIS_URL"):
        return given, f"{_place(given)}, from REDIS_URL"
    redis = EmbeddedRedis(var_dir / "redis", url=known.get("EMBEDDED_REDIS_URL"))
    on_stop(redis.stop)
    redis.start()
    own["redis"] = redis
    return redis.url, f"embedded, data in {_short(redis.data_dir)}"


def settings_of_this_run(
    environ: Mapping[str, str],
    known: Mapping[str, str],
    *,
    database_url: str,
    redis_url: str,
    demo: bool = False,
) -> dict[str, str]:
    """What goes into the environment file: the addresses, the secret key, which stays the same for ever, and the
    modules with handlers, the demo shop's among them when it plays.
    """
    values = {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": environ.get("SECRET_KEY") or known.get("SECRET_KEY") or secrets.token_urlsafe(50),
    }
    if broker := environ.get("CELERY_BROKER_URL"):
        values["CELERY_BROKER_URL"] = broker
    handlers = [name.strip() for name in environ.get("EVENT_HANDLERS", "").split(",") if name.strip()]
    if demo:
        handlers += [name for name in DEMO_MODULES if name not in handlers]
    if handlers:
        values["EVENT_HANDLERS"] = ",".join(handlers)
    if embedded := (known.get("EMBEDDED_REDIS_URL") if environ.get("REDIS_URL") else redis_url):
        values["EMBEDDED_REDIS_URL"] = embedded
    return values


def allowed_hosts(options: Options) -> str:
    """The host names to answer to when none are set: this machine's own, as far as it is reachable."""
    names = ["127.0.0.1", "localhost", "[::1]"]
    if not options.is_local:
        names += [options.host, socket.gethostname(), socket.getfqdn()]
        names += [
            address.address
            for addresses in psutil.net_if_addrs().values()
            for address in addresses
            if address.family == socket.AF_INET
        ]
    return ",".join(dict.fromkeys(name for name in names if name != "0.0.0.0"))  # noqa: S104 - left out


def _place(url: str) -> str:
    """An address without its password."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'local'}{f':{parts.port}' if parts.port else ''}{parts.path}"


def _short(path: Path) -> str:
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return str(path)
