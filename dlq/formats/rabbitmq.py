"""What RabbitMQ writes when it dead-letters: ``x-death`` (AMQP 1.0: ``x-opt-deaths``) and its first and last in short.

https://www.rabbitmq.com/docs/dlx#effects. A message may have died several times; a retry goes back to where it died
first, because that is where it was published to.
"""

from datetime import datetime
from typing import Any

import msgspec

from dlq.formats.format import Death, Origin, queue_of
from dlq.formats.values import count
from eventhub.events.message import Message
from eventhub.events.times import read_time

DEATHS = ("x-death", "x-opt-deaths")
OWNED = frozenset((*DEATHS, "x-delivery-count", "x-acquired-count"))
FIRST, LAST = "x-first-death-", "x-last-death-"
WORDS = {
    "rejected": "rejected from the queue {queue}",
    "expired": "expired in the queue {queue}",
    "maxlen": "dropped from the queue {queue}, which was full",
    "delivery_limit": "delivered from the queue {queue} as often as it allows",
}


class _Died(msgspec.Struct, frozen=True):
    """One entry: how often a message died in one queue for one reason."""

    queue: str
    reason: str
    count: int
    exchange: str | None
    routing_key: str | None
    at: datetime | None

    @property
    def words(self) -> str:
        text = WORDS.get(self.reason, "dead-lettered by the queue {queue} (" + self.reason + ")")
        return text.format(queue=self.queue)


class RabbitMQDeaths:
    """The deaths that RabbitMQ keeps count of."""

    name = "RabbitMQ x-death"

    def recognises(self, message: Message) -> bool:
        """Whether any of the headers is there."""
        headers = message.headers
        return any(name in headers for name in (*DEATHS, f"{FIRST}queue", f"{LAST}queue"))

    def read(self, message: Message) -> Death:
        """Why and where it died first; what it died of later stands in the message too."""
        headers = message.headers
        # Newest first; as deaths of one kind are counted, not listed, the first one need not be the last entry.
        deaths = _entries(message)
        first_queue, first_reason = headers.get(f"{FIRST}queue", ""), headers.get(f"{FIRST}reason", "")
        first = next((d for d in deaths if (d.queue, d.reason) == (first_queue, first_reason)), None)
        if first is None:
            first = deaths[-1] if deaths else _in_short(message)
        later = [death for death in reversed(deaths) if death is not first]
        words = "; then ".join(death.words for death in (first, *later))
        return Death(
            error_class=first.reason,
            error_message=f"{words[:1].upper()}{words[1:]}.",
            failed_in=first.queue,
            origin=_origin(message, first),
            # x-delivery-count does not tell: it counts what the dead-letter queue delivered.
            attempts=max(1, first.count),
            failed_at=deaths[0].at if deaths else None,
        )

    def owns(self, header: str) -> bool:
        """What RabbitMQ wrote about deaths and deliveries."""
        return header in OWNED or header.startswith((FIRST, LAST))


def _origin(message: Message, died: _Died) -> Origin:
    """The exchange that the message was published to, with its routing key; without one, straight into the queue."""
    if died.exchange is None or died.routing_key is None:
        return queue_of(message, died.queue)
    return Origin(
        died.exchange or died.queue,
        properties={"exchange": died.exchange, "routing_key": died.routing_key},
    )


def _entries(message: Message) -> list[_Died]:
    for name in DEATHS:
        if text := message.headers.get(name):
            try:
                entries: Any = msgspec.json.decode(text)
            except (msgspec.DecodeError, RecursionError):
                continue
            if isinstance(entries, list):
                return [_entry(entry) for entry in entries if isinstance(entry, dict)]
    return []


def _entry(entry: dict[str, Any]) -> _Died:
    keys = entry.get("routing-keys")
    key = keys[0] if isinstance(keys, list) and keys else None
    number = entry.get("count")
    exchange = entry.get("exchange")
    return _Died(
        queue=_text(entry.get("queue")),
        reason=_text(entry.get("reason")),
        count=count(str(number)) or 1 if isinstance(number, int) and not isinstance(number, bool) else 1,
        exchange=exchange if isinstance(exchange, str) else None,
        routing_key=key if isinstance(key, str) else None,
        at=read_time(entry.get("last-time") or entry.get("time") or entry.get("first-time")),
    )


def _in_short(message: Message) -> _Died:
    """From the headers of the first death, or else of the last, which tell no routing key."""
    headers = message.headers
    prefix = FIRST if f"{FIRST}queue" in headers else LAST
    return _Died(
        queue=headers.get(f"{prefix}queue", ""),
        reason=headers.get(f"{prefix}reason", ""),
        count=1,
        exchange=None,
        routing_key=None,
        at=None,
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
