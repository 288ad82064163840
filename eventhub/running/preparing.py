"""Making an installation ready: its tables, its administrator, the demo's sources. Every step may be repeated."""

import os
import secrets

import msgspec
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

ADMINISTRATOR = "admin"
# Any number of our own: two that migrate at the same moment take turns.
MIGRATION_LOCK = 0x6576687562


class Prepared(msgspec.Struct, frozen=True):
    """What was done."""

    # Migrations applied now.
    migrations: int
    administrator_is_new: bool
    # Only where one was made up now: to be shown once.
    password: str | None


class BadDemo(ValueError):
    """The demo cannot be set up as the environment wants it. The text says why, and what it should hold."""


def prepare(*, demo: bool) -> Prepared:
    """Migrate, create the administrator where there is none, set up the demo if wanted. Raises BadDemo."""
    migrations = migrate()
    is_new, password = create_administrator(os.environ.get("ADMIN_PASSWORD", ""))
    if demo:
        # Above this package; only where it is wanted.
        from eventhub.demo.elsewhere import BadBrokers, make_ready, read_brokers
        from eventhub.demo.setup import set_up

        try:
            brokers = read_brokers(os.environ.get("DEMO_BROKERS", ""), os.environ)
            make_ready(brokers)
            set_up(brokers, sins=os.environ.get("DEMO_SINS", "1") != "0")
        except BadBrokers as error:
            raise BadDemo(str(error)) from None
    return Prepared(migrations=migrations, administrator_is_new=is_new, password=password)


def migrate() -> int:
    """Apply what is missing and return how many migrations that were."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        try:
            executor = MigrationExecutor(connection)
            plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
            if plan:
                call_command("migrate", interactive=False, verbosity=0)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
    return len(plan)


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
