"""Messages of dead-letter queues, as adapters deliver them."""

from datetime import UTC, datetime
from typing import Any

from dlq.formats import Death, read_death, without_death
from eventhub.events.message import Message, lower_headers
from eventhub.events.wire_text import to_text

BROKER_TIME = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
FAILED_AT = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)


def dead(*pairs: tuple[str, str | bytes], **changed: Any) -> Message:
    """A message with these headers; bytes are told as the adapters tell them."""
    told = [(name, to_text(value.encode() if isinstance(value, str) else value)) for name, value in pairs]
    headers, raw_headers = lower_headers(told)
    values = {"body": b'{"order_id": 8412}', "topic": "dead", "offset": "7", "origin_key": "b:s/dead/7"}
    return Message(
        **(values | {"headers": headers, "raw_headers": raw_headers, "timestamp": BROKER_TIME} | changed)
    )


def death(*pairs: tuple[str, str | bytes], **changed: Any) -> Death:
    return read_death(dead(*pairs, **changed))


def kept(message: Message) -> list[str]:
    """The names of the headers that are sent again."""
    return [name for name, _ in without_death(message.header_pairs())]
