"""A delivery that is given up becomes a dead letter, and a dead letter that is retried becomes a delivery again.

Such letters belong to a source that nothing is read from: it stands for the handlers, and its kind is what their way
back is registered under (``dlq.routes.register``).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec
from django.db import connection, transaction

from dlq import intake
from dlq.headers import of_retry, retried_as
from dlq.intake import NewLetter
from dlq.models import Reason
from eventhub.brokers.adapter import Refused
from eventhub.brokers.models import Kind, Source
from eventhub.events.envelope import Event
from eventhub.events.message import Message, OutgoingMessage
from eventhub.events.queries import StoredEvent
from eventhub.handlers import registry, waking
from eventhub.handlers.attempting import Attempted

if TYPE_CHECKING:
    from eventhub.handlers.working import Held


def source() -> Source:
    """The source that handlers' letters belong to; made at first need."""
    found, _ = Source.objects.get_or_create(kind=Kind.HANDLERS, defaults={"name": "eventhub-handlers"})
    return found


def bury(name: str, dead: Sequence[tuple["Held", Attempted]], at: datetime) -> None:
    """Write a letter for each of these deliveries to the handler `name`, in the caller's transaction.

    One whose retry died once more reopens the letter that it was sent for.
    """
    intake.record(source(), [_letter(name, held, result, at) for held, result in dead])


def deliver_again(source: Source, messages: Sequence[OutgoingMessage]) -> None:
    """The way back of the letters: run each one's handler, and nobody else, with its event.

    The attempts begin anew, so that a person's retry has the policy's whole patience. Raises Refused for those that
    have no handler or no dead delivery any more; the others are delivered.
    """
    known = registry.subscriptions()
    refused = {
        n: f"There is no handler {message.topic!r} in the code any more. Bring it back under that name, or "
        "discard the letter."
        for n, message in enumerate(messages)
        if message.topic not in known
    }
    going = {n: message for n, message in enumerate(messages) if n not in refused}
    woken = _wait_again(list(going.values()))
    refused |= {
        n: "Its delivery is not among the dead any more: the handler has processed the event meanwhile, or "
        "retention has dropped it. Look at the event, then discard the letter."
        for n, message in going.items()
        if int(message.key or 0) not in woken
    }
    if refused:
        raise Refused(refused)


@transaction.atomic
def _wait_again(messages: Sequence[OutgoingMessage]) -> set[int]:
    """Let the dead deliveries that these messages are of wait for a worker; which of them do."""
    sent = [retried_as({name.lower(): value for name, value in message.headers}) for message in messages]
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE handlers_delivery d
            SET state = 'waiting', earlier_attempts = attempts, lost = 0, due_at = now(), finished_at = NULL,
                retry_of = again.letter_id, retry_attempt = again.attempt
            FROM unnest(%s::bigint[], %s::bigint[], %s::int[]) AS again (id, letter_id, attempt)
            WHERE d.id = again.id AND d.state IN ('dead', 'waiting')
            RETURNING d.id
            """,
            [
                [int(message.key or 0) for message in messages],
                [one.letter_id if one else None for one in sent],
                [one.attempt if one else None for one in sent],
            ],
        )
        woken = {row[0] for row in cursor.fetchall()}
    handlers = {message.topic for message in messages if int(message.key or 0) in woken}
    transaction.on_commit(lambda: waking.wake(len(handlers)), robust=True)
    return woken


def _letter(name: str, held: "Held", result: Attempted, at: datetime) -> NewLetter:
    assert held.event is not None
    assert result.failure is not None
    headers = (
        of_retry(held.retry_of, held.retry_attempt, name) if held.retry_of and held.retry_attempt else {}
    )
    attempts = held.attempts + 1
    return NewLetter(
        message=Message(
            body=native_json(held.event),
            topic=name,
            offset=str(held.event.position),
            # A delivery may die more than once, after a replay for instance.
            origin_key=f"handler:{held.id}/{attempts}",
            headers=headers,
            key=str(held.id),
            timestamp=at,
        ),
        reason=Reason.SERVICE,
        error_class=result.failure.error_class,
        error_message=result.failure.message or "The error says nothing.",
        event=_envelope(held.event),
        failed_in=name,
        stack=result.failure.stack,
        attempts=attempts,
        failed_at=at,
    )


def native_json(event: StoredEvent) -> bytes:
    """The event as the native envelope."""
    metadata = event.metadata_value
    return msgspec.json.encode(
        {
            "event_id": event.event_id,
            "event_type": event.event_type,
            "event_version": event.event_version,
            "timestamp": event.occurred_at,
            "data": msgspec.Raw((event.data or "null").encode()),
            "metadata": {
                **(metadata if isinstance(metadata, dict) else {}),
                "source": event.source,
                "correlation_id": event.correlation_id,
                "causation_id": event.causation_id,
                "stream": event.stream,
                "stream_version": event.stream_version,
            },
        }
    )


def _envelope(event: StoredEvent) -> Event:
    return Event(
        event_id=event.event_id,
        event_type=event.event_type,
        occurred_at=event.occurred_at,
        event_version=event.event_version,
        source=event.source,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        stream=event.stream,
        stream_version=event.stream_version,
    )
