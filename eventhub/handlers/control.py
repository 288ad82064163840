"""Pausing a handler, switching it off, trying it again: by people and scripts, noted in the audit log.

Workers see it with their next batch, within a second or two; what they have in hand is finished.
"""

from typing import Any

from django.db import transaction
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.audit import Actor
from eventhub.handlers import registry, states, waking
from eventhub.handlers.breaker import Circuit
from eventhub.handlers.models import Handler


class NoSuchHandler(LookupError):
    """There is no handler of this name. The text says which there are."""


class NotStopped(Exception):
    """Only a handler that its circuit breaker has stopped can be tried again."""


def find(name: str) -> Handler:
    """The row of a handler; one that is declared and has not run yet gets one. Raises NoSuchHandler."""
    found = Handler.objects.filter(name=name).first() or states.current().get(name)
    if found is None:
        known = sorted({*registry.subscriptions(), *Handler.objects.values_list("name", flat=True)})
        there = f"There are: {', '.join(known)}." if known else "There are none."
        raise NoSuchHandler(f"There is no handler {name!r}. {there}")
    return found


def pause(name: str, actor: Actor) -> Handler:
    """Deliveries are written, and wait. Raises NoSuchHandler."""
    return _change(name, actor, "pause", paused=True)


def resume(name: str, actor: Actor) -> Handler:
    """What waited runs. Raises NoSuchHandler."""
    return _change(name, actor, "resume", paused=False)


def disable(name: str, actor: Actor) -> Handler:
    """New events are not delivered to it any more, and what waits stays. Raises NoSuchHandler."""
    return _change(name, actor, "disable", enabled=False)


def enable(name: str, actor: Actor) -> Handler:
    """New events are delivered to it, and what waited runs. Raises NoSuchHandler."""
    return _change(name, actor, "enable", enabled=True)


@transaction.atomic
def try_again(name: str, actor: Actor) -> Handler:
    """Probe a stopped handler now, instead of when its time has come. Raises NoSuchHandler and NotStopped."""
    row = Handler.objects.select_for_update().get(pk=find(name).pk)
    if row.circuit == Circuit.CLOSED:
        raise NotStopped(f"{name} is not stopped: there is nothing to try again.")
    row.probe_at = timezone.now()
    row.save(update_fields=["probe_at"])
    audit.record(actor, "probe", f"handler {name}")
    transaction.on_commit(waking.wake, robust=True)
    return row


@transaction.atomic
def _change(name: str, actor: Actor, verb: str, **fields: Any) -> Handler:
    row = Handler.objects.select_for_update().get(pk=find(name).pk)
    changed = [field for field, value in fields.items() if getattr(row, field) != value]
    if not changed:
        return row
    for field in changed:
        setattr(row, field, fields[field])
    row.save(update_fields=changed)
    audit.record(actor, verb, f"handler {name}")
    states.forget()
    if row.enabled and not row.paused:
        transaction.on_commit(waking.wake, robust=True)
    return row
