"""Saved searches, and what completes the words of one."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db import transaction
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse, QueryDict
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from eventhub.access import audit
from eventhub.schemas.models import EventType
from eventhub.traces import attributes
from eventhub.traces.asking import services
from eventhub.traces.models import SavedSearch

MOST = 50
SUGGESTED = 12
# What of an address is a search, and not a place in its results.
_KEPT = ("q", "state", "type", "service", "duration", "range", "from", "to", "loose")
_TERMS = (
    ("error", "in trouble: failed, or a dead letter waits"),
    ("slow", "a hop took much longer than usual"),
    ("type:", "holds an event of this type"),
    ("-type:", "holds none of this type"),
    ("service:", "this service takes part"),
    ("state:", "dead, failed, running, ok"),
    ("duration>", "took longer than 2s, 150ms, 5m"),
    ("duration<", "took less"),
    ("since:", "happened within 24h, 7d"),
    ("text:", "anywhere in the payloads"),
    ("but not", "after a type: another did not come, within 30s"),
)


def searches_of(user: AbstractBaseUser | AnonymousUser) -> list[SavedSearch]:
    """A person's own searches and the shared ones."""
    return list(
        SavedSearch.objects.filter(Q(owner_id=user.pk) | Q(is_shared=True)).select_related("owner")[:MOST]
    )


def here(given: QueryDict) -> str:
    """The search that an address is, as its parameters; empty where nothing is asked."""
    return urlencode([(name, given[name]) for name in _KEPT if given.get(name)])


@require_POST
def save(request: HttpRequest) -> HttpResponse:
    """Keep the search under a name; the same name again replaces it."""
    name, query = request.POST.get("name", "").strip()[:80], request.POST.get("query", "")[:2000]
    if not name or not query:
        return HttpResponse("A saved search needs a name and something that it looks for.", status=400)
    is_shared = request.POST.get("shared") == "on"
    with transaction.atomic():
        SavedSearch.objects.update_or_create(
            owner_id=request.user.pk, name=name, defaults={"query": query, "is_shared": is_shared}
        )
        audit.record(
            audit.actor_of(request), "save search", f"trace search {name}", query=query, shared=is_shared
        )
    return HttpResponseRedirect(f"{reverse('traces')}?{query}")


@require_POST
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    """Drop one's own saved search."""
    found = get_object_or_404(SavedSearch, pk=pk, owner_id=request.user.pk)
    with transaction.atomic():
        found.delete()
        audit.record(audit.actor_of(request), "delete search", f"trace search {found.name}")
    return HttpResponseRedirect(reverse("traces"))


def complete(request: HttpRequest) -> JsonResponse:
    """What the word that is being typed may become: ``?word=``."""
    word = request.GET.get("word", "").replace("\x00", "")[:200]
    return JsonResponse({"suggestions": [{"text": text, "hint": hint} for text, hint in completions(word)]})


def completions(word: str) -> Sequence[tuple[str, str]]:
    """Terms, attributes, event types and services that begin like (or hold) what was typed, and what each means."""
    name, sign, begun = word.partition(":")
    if sign and name.lstrip("-") in ("type", "service"):
        names = (
            _types(begun) if name.endswith("type") else [s for s in services() if begun.lower() in s.lower()]
        )
        return [(f"{name}:{found}", "") for found in names[:SUGGESTED]]
    lowered = word.lower()
    terms: Mapping[str, str] = dict(_TERMS) | {
        f"{one}:": "a searchable attribute" for one in attributes.names()
    }
    found = [(term, hint) for term, hint in terms.items() if term.startswith(lowered)]
    if len(lowered) > 1:
        found += [(f"type:{one}", "event type") for one in _types(lowered)]
    return found[:SUGGESTED]


def _types(begun: str) -> list[str]:
    names = EventType.objects.exclude(name__startswith="eventhub.").filter(name__icontains=begun)
    return list(names.order_by("name").values_list("name", flat=True)[:SUGGESTED])
