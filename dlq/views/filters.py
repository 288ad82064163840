"""The filter bar of the dead letters page; its state is the address."""

import re
from collections.abc import Mapping
from datetime import UTC, timedelta

from django.http import HttpRequest
from django.utils import timezone
from msgspec import structs

from dlq.filter import Filter, GroupState
from dlq.models import DeadLetterGroup, Reason, Status
from eventhub.brokers.models import Source
from eventhub.pages.filters import Field, FilterBar, choices, filter_bar
from eventhub.pages.ranges import moment

ANY_STATUS = "all"
MAX_EVENT_TYPES = 300
STATES = {
    GroupState.MINE: "Assigned to me",
    GroupState.UNASSIGNED: "Assigned to nobody",
    GroupState.REGRESSED: "Regressed",
    GroupState.FIXED: "Fixed",
    GroupState.SNOOZED: "Snoozed",
    GroupState.ANY: "All groups",
}
SINCE = {
    "1h": ("In the last hour", timedelta(hours=1)),
    "24h": ("In the last 24 h", timedelta(hours=24)),
    "7d": ("In the last 7 days", timedelta(days=7)),
    "30d": ("In the last 30 days", timedelta(days=30)),
}
# What "name = value" in the search field asks for; any other name is a path of the payload.
_NAMED = re.compile(r"(?P<name>topic|queue|trace|correlation_id)\s*=\s*(?P<value>.+)", re.IGNORECASE)
_PATH = re.compile(r"(?:\$\.|data[.\[])[^=\s]*\s*=.+|[\w.\[\]-]+\s+=\s+\S.*", re.DOTALL)


def bar_of(request: HttpRequest) -> FilterBar:
    """The bar for this request. Left alone, it shows what is open."""
    sources = (
        Source.objects.filter(dead_letter_groups__isnull=False).distinct().values_list("name", flat=True)
    )
    types, services, classes = _named()
    return filter_bar(
        request,
        [
            Field(name="q", label="Error, id, data.order_id = 8412, topic = orders"),
            Field(
                name="status",
                label="Status",
                any_label="Open",
                options=choices(
                    [
                        (Status.SENT.value, "Sent, outcome awaited"),
                        (Status.RESOLVED.value, "Resolved"),
                        (Status.DISCARDED.value, "Discarded"),
                        (ANY_STATUS, "Any status"),
                    ]
                ),
            ),
            Field(
                name="reason",
                label="Reason",
                options=choices([(r.value, r.label[:1].upper() + r.label[1:]) for r in Reason]),
            ),
            Field(
                name="state",
                label="Groups",
                any_label="Not snoozed",
                options=choices([(state.value, words) for state, words in STATES.items()]),
            ),
            Field(name="source", label="Source", options=choices([(name, name) for name in sources])),
            Field(name="type", label="Event type", options=choices([(name, name) for name in types])),
            Field(
                name="service",
                label="Service",
                options=choices([(name, name) for name in services]),
            ),
            Field(
                name="error",
                label="Error class",
                options=choices([(name, short_class(name)) for name in classes]),
            ),
            Field(
                name="since",
                label="Failed",
                any_label="Any time",
                options=choices([(name, words) for name, (words, _) in SINCE.items()]),
            ),
            *_bounds(request),
        ],
    )


def _bounds(request: HttpRequest) -> list[Field]:
    """From when to when, as a chart's moment leads here; only while they are set, to be seen and taken away."""
    given = [(name, request.GET.get(name, "")) for name in ("from", "to")]
    return [
        Field(
            name=name,
            label=name,
            any_label="Since ever" if name == "from" else "Until now",
            options=choices([(text, f"{at.astimezone(UTC):%d %b %H:%M:%S} UTC")]),
        )
        for name, text in given
        if (at := moment(text))
    ]


def filter_of(values: Mapping[str, str], group: int | None = None, user_id: int | None = None) -> Filter:
    """What a bar's values (or a form's fields of the same names) ask for, by the person `user_id`."""
    status = values.get("status", "")
    since = SINCE.get(values.get("since", ""))
    wanted = Filter(
        status="" if status == ANY_STATUS else status if status in Status.values else Status.OPEN.value,
        reason=values.get("reason", ""),
        source=values.get("source", ""),
        event_type=values.get("type", ""),
        failed_in=values.get("service", ""),
        error_class=values.get("error", ""),
        since=timezone.now() - since[1] if since else moment(values.get("from", "")),
        until=moment(values.get("to", "")),
        state=values.get("state", "") if values.get("state", "") in list(GroupState) else "",
        assignee=user_id,
        group=group,
    )
    return _with_words(wanted, values.get("q", "").replace("\x00", "").strip())


def _with_words(wanted: Filter, words: str) -> Filter:
    """What was typed: words, or ``name = value``."""
    if match := _NAMED.fullmatch(words):
        if match["name"].lower() in ("topic", "queue"):
            return structs.replace(wanted, topic=match["value"])
        return structs.replace(wanted, correlation_id=match["value"])
    if _PATH.fullmatch(words):
        return structs.replace(wanted, attribute=words)
    return structs.replace(wanted, q=words)


def short_class(name: str) -> str:
    """An error class without the packages in front."""
    return name.rsplit(".", 1)[-1].rsplit("$", 1)[-1]


def _named() -> list[list[str]]:
    """The event types, the services that failed, and the error classes. One statement over the groups."""
    found = (
        DeadLetterGroup.objects.order_by()
        .values_list("event_type", "failed_in", "error_class")
        .distinct()[: 2 * MAX_EVENT_TYPES]
    )
    return [sorted({*names} - {""}) for names in zip(*found, strict=True)] or [[], [], []]
