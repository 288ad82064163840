"""What the palette (Ctrl-K) finds of a few typed letters: anything that has a name and a page."""

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse

from dlq.models import DeadLetterGroup
from dlq.saved import of_person
from eventhub.brokers.models import Kind, Source
from eventhub.events.queries import count_of_correlation, events_by_id
from eventhub.handlers.models import Handler
from eventhub.schemas.models import EventType
from eventhub.traces.models import Process, SavedSearch
from monitoring.lag.models import WatchedGroup

MOST_OF_A_KIND = 5
# Shorter texts are not asked for as ids: nothing has such, and each is a look into every partition.
SHORTEST_ID = 6


class Hit(msgspec.Struct, frozen=True):
    """A line of the palette."""

    label: str
    # What kind of thing it is, in a word.
    hint: str
    url: str
    # The key of the page of the rail whose icon it has (`eventhub.pages.navigation`).
    key: str


def find(request: HttpRequest, typed: str) -> list[Hit]:
    """The hits for what was typed, at most a handful of each kind; exact ids first. Never raises for odd input."""
    text = typed.replace("\x00", "").strip()[:200]
    if not text:
        return []
    user: Any = request.user
    return [
        *_ids(text),
        *_named(EventType.objects.all(), text, "event type", "event-type", "c"),
        *_named(Source.objects.exclude(kind=Kind.HANDLERS), text, "source", "source", "s"),
        *_named(Handler.objects.all(), text, "handler", "handler", "h"),
        *_named(WatchedGroup.objects.all(), text, "consumer group", "lag-group", "l", by="pk"),
        *_named(Process.objects.all(), text, "process", "process", "p", by="pk"),
        *_groups(text),
        *_searches(SavedSearch.objects.filter(Q(owner=user) | Q(is_shared=True)), text, "traces", "t"),
        *_searches(of_person(user), text, "dead-letters", "d"),
        *_settings(request, text),
    ]


def _ids(text: str) -> Iterator[Hit]:
    if len(text) < SHORTEST_ID:
        return
    if count_of_correlation(text, 1):
        yield Hit(text, "trace", reverse("trace", args=[text]), "t")
    for event in events_by_id(text, 1):
        yield Hit(f"{event.event_type} {text}", "event", reverse("event", args=[text]), "t")


def _named(
    rows: QuerySet[Any], text: str, hint: str, route: str, key: str, *, by: str = "name"
) -> Iterator[Hit]:
    for row in _holding(rows, "name", text):
        yield Hit(row.name, hint, reverse(route, args=[getattr(row, by)]), key)


def _groups(text: str) -> Iterator[Hit]:
    for group in _holding(DeadLetterGroup.objects.order_by("-first_seen_at"), "title", text):
        yield Hit(group.title, "dead letters", f"{reverse('dead-letters')}?group={group.pk}", "d")


def _searches(rows: QuerySet[Any], text: str, route: str, key: str) -> Iterator[Hit]:
    for row in _holding(rows, "name", text):
        yield Hit(row.name, "saved search", f"{reverse(route)}?{row.query}", key)


def _settings(request: HttpRequest, text: str) -> Iterator[Hit]:
    """The admin's lists that this person may see."""
    lists = (
        (str(model["name"]), model["admin_url"])
        for app in admin.site.get_app_list(request)
        for model in app["models"]
        if model["admin_url"]
    )
    wanted = [
        (name, url) for name, url in lists if all(word in name.lower() for word in text.lower().split())
    ]
    for name, url in wanted[:MOST_OF_A_KIND]:
        yield Hit(name, "settings", url, "a")


def _holding(rows: QuerySet[Any], field: str, text: str) -> Iterable[Any]:
    """The rows whose field holds every word of the text."""
    for word in text.split():
        rows = rows.filter(**{f"{field}__icontains": word})
    found: Iterable[Model] = rows[:MOST_OF_A_KIND]
    return found
