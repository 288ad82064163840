"""The same work by the `eventsourcing` package (PyPI) on the same PostgreSQL, as its documentation does it."""

import os
import time
from typing import Any
from urllib.parse import unquote, urlsplit

from eventsourcing.application import Application
from eventsourcing.dispatch import singledispatchmethod
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.sql import SQL, Identifier

BATCH = 100
ACCOUNTS = 50


class Account(Aggregate):
    """An account as the package writes one."""

    def __init__(self) -> None:
        self.total = 0

    @event("Moved")
    def move(self, amount: int) -> None:
        """Money moves."""
        self.total += amount


class Bank(Application[Any]):
    """The application that keeps them."""


class Balances(PostgresTrackingRecorder):
    """A read model with its tracking in the same transaction: one row an account."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.sql_create_statements.append(
            SQL(
                "CREATE TABLE IF NOT EXISTS {}.other_balances (account text PRIMARY KEY, total bigint)"
            ).format(Identifier(self.datastore.schema))
        )

    def add(self, account: str, amount: int, tracking: Tracking) -> None:
        """Take one event in."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO other_balances VALUES (%s, %s) ON CONFLICT (account)"
                " DO UPDATE SET total = other_balances.total + EXCLUDED.total",
                (account, amount),
            )


class Follows(Projection[Balances]):
    """From the events to the read model."""

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """What opens an account changes nothing in it."""
        self.view.add(str(domain_event.originator_id), 0, tracking)

    @process_event.register
    def _(self, domain_event: Account.Moved, tracking: Tracking) -> None:  # type: ignore[name-defined]
        self.view.add(str(domain_event.originator_id), domain_event.amount, tracking)


def use_database() -> None:
    """Tell the package where PostgreSQL is."""
    address = urlsplit(os.environ["DATABASE_URL"])
    host = unquote(address.netloc.rpartition("@")[2])
    os.environ.update(
        PERSISTENCE_MODULE="eventsourcing.postgres",
        POSTGRES_DBNAME=address.path.lstrip("/"),
        POSTGRES_HOST=host,
        POSTGRES_PORT="5432",
        POSTGRES_USER=address.username or "postgres",
        POSTGRES_PASSWORD="",
    )


def append_batches(count: int) -> None:
    """`count` events, a hundred a save."""
    bank = Bank()
    accounts = [Account() for _ in range(ACCOUNTS)]
    for n in range(count // BATCH):
        account = accounts[n % ACCOUNTS]
        for i in range(BATCH):
            account.move(n + i)
        bank.save(account)
    bank.close()


def follow(timeout_s: float = 300) -> float:
    """Events a second from the first to the last that is there, by the package's own runner."""
    runner = ProjectionRunner(application_class=Bank, projection_class=Follows, view_class=Balances)
    with runner:
        last = runner.app.recorder.max_notification_id() or 0
        started = time.perf_counter()
        runner.wait(last, timeout=timeout_s)
        return last / (time.perf_counter() - started)
