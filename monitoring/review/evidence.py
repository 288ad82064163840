"""What the flow, as it was learned, says about a service: which types it hears, and who hears its own."""

from datetime import datetime

from eventhub.traces.models import Grain, Hop, HopKind


def consumed_by(service: str, since: datetime) -> list[str]:
    """The event types that a service reported to have processed, the most frequent first."""
    rows = (
        Hop.objects.filter(  # hop_once (grain, bucket, …)
            grain=Grain.HOUR,
            bucket__gte=since.replace(minute=0, second=0),
            kind=HopKind.DELIVERY,
            to_service=service,
        )
        .values_list("from_type", "count")
        .order_by("-count")
    )
    return list(dict.fromkeys(name for name, _ in rows))
