"""The filter bar of the dead letters page; its state is the address."""

from collections.abc import Mapping

from django.http import HttpRequest

from dlq.listing import Filter
from dlq.models import DeadLetterGroup, Reason, Status
from eventhub.brokers.models import Source
from eventhub.pages.filters import Field, FilterBar, choices, filter_bar

ANY_STATUS = "all"
MAX_EVENT_TYPES = 300


def bar_of(request: HttpRequest) -> FilterBar:
    """The bar for this request. Left alone, it shows what is open."""
    types = (
        DeadLetterGroup.objects.exclude(event_type="")
        .order_by("event_type")
        .values_list("event_type", flat=True)
        .distinct()[:MAX_EVENT_TYPES]
    )
    sources = (
        Source.objects.filter(dead_letter_groups__isnull=False).distinct().values_list("name", flat=True)
    )
    return filter_bar(
        request,
        [
            Field(name="q", label="Error, order, event or trace id"),
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
            Field(name="source", label="Source", options=choices([(name, name) for name in sources])),
            Field(name="type", label="Event type", options=choices([(name, name) for name in types])),
        ],
    )


def filter_of(values: Mapping[str, str], group: int | None = None) -> Filter:
    """What a bar's values (or a form's fields of the same names) ask for."""
    status = values.get("status", "")
    return Filter(
        status="" if status == ANY_STATUS else status if status in Status.values else Status.OPEN.value,
        reason=values.get("reason", ""),
        source=values.get("source", ""),
        event_type=values.get("type", ""),
        q=values.get("q", "").strip(),
        group=group,
    )
