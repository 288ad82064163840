"""The test event of the first steps: somebody says hello, and is answered.

Two events, so that its trace shows what a trace is: one event caused the other, in another service.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec

from eventhub.brokers.adapter import open_adapter
from eventhub.brokers.models import Kind, Role, Source
from eventhub.events.message import OutgoingMessage
from eventhub.ingest import http

# The source that the guide makes: a stream in the Redis that EventHub itself runs on.
STREAM = "hello"
ANSWERED_AFTER = timedelta(milliseconds=120)


def stream_source() -> Source:
    """The guide's own source, not saved."""
    return Source(name=STREAM, kind=Kind.REDIS, config={"streams": [STREAM], "group": "eventhub"})


def connected() -> Source | None:
    """A source that reads events from a broker; the guide's own where there is one."""
    tapped = Source.objects.filter(role=Role.EVENTS, enabled=True).exclude(kind=Kind.HTTP)
    return tapped.filter(name=STREAM).first() or tapped.order_by("created_at").first()


def greeting(name: str, now: datetime) -> tuple[str, list[dict[str, Any]]]:
    """The correlation id, and the two events in EventHub's own envelope (docs/events.md)."""
    correlation_id, said, answered = (str(uuid4()) for _ in range(3))
    return correlation_id, [
        {
            "event_id": said,
            "event_type": "hello.said",
            "event_version": "1",
            "timestamp": (now - ANSWERED_AFTER).isoformat(),
            "data": {"to": "EventHub", "by": name},
            "metadata": {"source": "first-steps", "correlation_id": correlation_id},
        },
        {
            "event_id": answered,
            "event_type": "hello.answered",
            "event_version": "1",
            "timestamp": now.isoformat(),
            "data": {"to": name, "words": "Hello. This is what a trace looks like."},
            "metadata": {"source": "eventhub", "correlation_id": correlation_id, "causation_id": said},
        },
    ]


def send(events: list[dict[str, Any]], source: Source | None) -> str:
    """Send them over the guide's stream where that is the source, else over HTTP; returns by which way.

    Nothing is ever published to a topic of somebody else's. Raises BrokerError, and Refused of `eventhub.ingest.http`.
    """
    if source is not None and source.name == STREAM and source.kind == Kind.REDIS and not source.paused:
        adapter = open_adapter(source, "first-steps")
        try:
            adapter.publish(
                [OutgoingMessage(body=msgspec.json.encode(event), topic=STREAM) for event in events]
            )
        finally:
            adapter.close()
        return f"through the stream {STREAM}"
    http.accept(msgspec.json.encode(events), {"content-type": "application/json"})
    return "over HTTP"
