"""Filters of the list that people keep, for themselves or for everybody."""

from urllib.parse import parse_qsl, urlencode

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q, QuerySet

from dlq.models import SavedFilter
from eventhub.access import audit
from eventhub.access.audit import Actor

# What an address of the list may hold; its places and choices are not part of a filter.
PARAMETERS = ("q", "status", "reason", "state", "source", "type", "service", "error", "since")
MOST_OF_ONE = 100


class CannotSave(ValueError):
    """The filter cannot be kept. The text says why."""


def of_person(user: User) -> QuerySet[SavedFilter]:
    """A person's own filters and those that others share."""
    return SavedFilter.objects.filter(Q(owner=user) | Q(is_shared=True)).select_related("owner")


def save(user: User, name: str, query: str, actor: Actor, *, is_shared: bool = False) -> SavedFilter:
    """Keep a filter under a name; one of the same name is replaced. Raises CannotSave."""
    named = name.strip().replace("\x00", "")[:60]
    kept = urlencode(
        [(key, value) for key, value in parse_qsl(query) if key in PARAMETERS and "\x00" not in value]
    )
    if not named:
        raise CannotSave("Give it a name.")
    if not kept:
        raise CannotSave("No filter is set: there is nothing to keep.")
    if len(kept) > 1000:
        raise CannotSave("The filter is too long to be kept.")
    if SavedFilter.objects.filter(owner=user).exclude(name=named).count() >= MOST_OF_ONE:
        raise CannotSave(f"You keep {MOST_OF_ONE} filters already. Delete one first.")
    with transaction.atomic():
        found, _ = SavedFilter.objects.update_or_create(
            owner=user, name=named, defaults={"query": kept, "is_shared": is_shared}
        )
        audit.record(actor, "save filter", f"dead-letter filter {named}", query=kept, shared=is_shared)
    return found


@transaction.atomic
def forget(user: User, pk: int, actor: Actor) -> bool:
    """Delete a filter of one's own; False when there is none."""
    found = SavedFilter.objects.filter(owner=user, pk=pk).first()
    if found is None:
        return False
    found.delete()
    audit.record(actor, "delete filter", f"dead-letter filter {found.name}")
    return True
