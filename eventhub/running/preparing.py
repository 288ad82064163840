"""Making an installation ready: its tables, its administrator, the demo's sources. Every step may be repeated."""

import logging
import os
import secrets
import time
from collections.abc import Callable

import msgspec
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import OperationalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from psycopg import errors

from eventhub.access import audit
from eventhub.access.models import Role

ADMINISTRATOR = "admin"
VIEWER = "viewer"
# Any number of our own: two that migrate at the same moment take turns.
MIGRATION_LOCK = 0x6576687562


# How long a migration makes others wait behind it, how often it tries, and how long it lets them pass in between.
LOCK_WAIT_S = 3.0
LOCK_ATTEMPTS = 20
LOCK_PAUSE_S = 2.0
log = logging.getLogger(__name__)


class TooBusy(RuntimeError):
    """A table that has to be changed is in use without a pause. The text says what to do."""


class Prepared(msgspec.Struct, frozen=True):
    """What was done."""

    # Migrations applied now.
    migrations: int
    administrator_is_new: bool
    # Only where one was made up now: to be shown once.
    password: str | None
    # The same, of the account that may look at the demo and change nothing.
    viewer_password: str | None = None


class BadDemo(ValueError):
    """The demo cannot be set up as the environment wants it. The text says why, and what it should hold."""


def prepare(*, demo: bool) -> Prepared:
    """Migrate, create the administrator where there is none, set up the demo if wanted. Raises BadDemo."""
    migrations = migrate()
    is_new, password = create_administrator(os.environ.get("ADMIN_PASSWORD", ""))
    viewer_password = None
    if demo:
        viewer_password = create_viewer()
        # Above this package; only where it is wanted.
        from eventhub.demo.elsewhere import BadBrokers, make_ready, read_brokers
        from eventhub.demo.setup import set_up

        try:
            brokers = read_brokers(os.environ.get("DEMO_BROKERS", ""), os.environ)
            make_ready(brokers)
            set_up(brokers, sins=os.environ.get("DEMO_SINS", "1") != "0")
        except BadBrokers as error:
            raise BadDemo(str(error)) from None
    return Prepared(
        migrations=migrations, administrator_is_new=is_new, password=password, viewer_password=viewer_password
    )


def migrate() -> int:
    """Apply what is missing and return how many migrations that were. Raises TooBusy.

    While a statement waits for a table's lock, everybody who comes after it waits as well. So it waits a moment only,
    lets them pass, and tries again.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if plan:
                _patiently(lambda: call_command("migrate", interactive=False, verbosity=0))
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
    return len(plan)


def _patiently(apply: Callable[[], object]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('lock_timeout', %s, false)", [f"{round(LOCK_WAIT_S * 1000)}ms"])
        try:
            for attempt in range(1, LOCK_ATTEMPTS + 1):
                try:
                    apply()
                    return
                except OperationalError as error:
                    if not isinstance(error.__cause__, errors.LockNotAvailable):
                        raise
                    log.warning(
                        "A migration waits for a table that is in use (attempt %d): %s", attempt, error
                    )
                    failure = error
                time.sleep(LOCK_PAUSE_S)
            raise TooBusy(
                f"The migration got no lock in {LOCK_ATTEMPTS} attempts of {LOCK_WAIT_S:g} s: {failure} Look for long "
                "transactions (pg_stat_activity, its column xact_start), end them or wait, then "
                "run `manage.py prepare` again; what was applied stays applied."
            ) from failure
        finally:
            cursor.execute("RESET lock_timeout")


@transaction.atomic
def create_administrator(password: str) -> tuple[bool, str | None]:
    """Whether `admin` was created now, and the password made up for it when `password` is empty.

    One that is there keeps the password it has: ``manage.py changepassword admin`` sets another.
    """
    users = get_user_model()._default_manager
    if users.filter(username=ADMINISTRATOR).exists():
        return False, None
    made_up = None if password else secrets.token_urlsafe(12)
    users.create_superuser(username=ADMINISTRATOR, password=password or made_up)
    return True, made_up


@transaction.atomic
def create_viewer() -> str | None:
    """The password made up for the demo's viewer, who may look at everything and change nothing; None: it is there."""
    users = get_user_model()._default_manager
    if users.filter(username=VIEWER).exists():
        return None
    password = secrets.token_urlsafe(9)
    from eventhub.access.groups import give_role  # needs the apps

    viewer = users.create_user(username=VIEWER, password=password)
    give_role(viewer, Role.VIEWER, audit.SYSTEM, why="the demo")
    return password
