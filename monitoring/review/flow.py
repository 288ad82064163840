"""What the flow, as it was learned (``eventhub.traces.flow``), says about who hears and who answers."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime

import msgspec
from django.db.models import Sum

from eventhub.handlers import registry
from eventhub.traces.models import Grain, Hop, HopKind


class Flow(msgspec.Struct, frozen=True):
    """Deliveries and hops of the last day."""

    # (event type, publisher) -> consumer -> how many it processed, as receipts say.
    deliveries: Mapping[tuple[str, str], Mapping[str, int]]
    # (event type, publisher) -> (event type, publisher) caused by it -> how often.
    hops: Mapping[tuple[str, str], Mapping[tuple[str, str], int]]

    def heard_by(self, service: str) -> list[str]:
        """The event types that a service processed, the most frequent first."""
        found = {name: by[service] for (name, _), by in self.deliveries.items() if service in by}
        return sorted(found, key=lambda name: -found[name])

    def consumers(self, event_type: str) -> set[str]:
        """Who processes a type: services by their receipts, and handlers in EventHub."""
        services = {one for (name, _), by in self.deliveries.items() if name == event_type for one in by}
        handlers = {f"handler {one.name}" for one in registry.subscribers(event_type)}
        return services | handlers


def flow(since: datetime) -> Flow:
    """The flow since then, hours that it cuts counting whole."""
    deliveries: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    hops: dict[tuple[str, str], dict[tuple[str, str], int]] = defaultdict(dict)
    rows = (
        Hop.objects.filter(grain=Grain.HOUR, bucket__gte=since.replace(minute=0, second=0, microsecond=0))
        .values_list("kind", "from_type", "from_service", "to_type", "to_service")
        .annotate(times=Sum("count"))
        .order_by()
    )
    for kind, from_type, from_service, to_type, to_service, times in rows:  # hop_once (grain, bucket, …)
        if kind == HopKind.DELIVERY:
            deliveries[from_type, from_service][to_service] = times
        elif from_type:
            hops[from_type, from_service][to_type, to_service] = times
    return Flow(deliveries, hops)
