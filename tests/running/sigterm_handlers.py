"""Handlers for workers that are told to end while they run. Loaded by real workers."""

import time
from pathlib import Path

from django.conf import settings
from django.db import connection

from eventhub.handlers import Event, handles, registry, states

NAMES = ("sigterm-step", "sigterm-minute")


def write(event: Event) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO sigterm_done (event_id) VALUES (%s)", [event.event_id])


@handles("sigterm.step", name="sigterm-step")
def step(event: Event) -> None:
    """Works for a moment."""
    write(event)
    time.sleep(0.2)


@handles("sigterm.minute", name="sigterm-minute", timeout_s=60)
def minute(event: Event) -> None:
    """Works for longer than anybody waits."""
    write(event)
    (Path(settings.VAR_DIR) / "began").touch()
    time.sleep(60)


_ALL = [one for one in registry.declared() if one.name in NAMES]


def hide() -> None:
    """Importing this declared them; tests that do not ask for them must not meet them."""
    registry._declared[:] = [one for one in registry.declared() if one.name not in NAMES]
    registry._by_type.clear()


def declare() -> None:
    """Declare them for one test, with the table that they write to."""
    forget()
    registry._declared.extend(_ALL)
    registry._by_type.clear()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE sigterm_done (event_id text)")


def forget() -> None:
    """Undo `declare`."""
    hide()
    states.forget()
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS sigterm_done")


def done() -> int:
    """How often one of them has done its work."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sigterm_done")
        return cursor.fetchone()[0]


def distinct() -> int:
    """For how many events."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT event_id) FROM sigterm_done")
        return cursor.fetchone()[0]
