"""The relay: the outbox table read as if it were a broker.

One reader at a time, held by an advisory lock; the others stand by. It reads in the order of the ids, without
skipping one that a slow transaction commits late.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from time import monotonic, sleep
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from eventhub.brokers.adapter import BrokerError, Lag, Place
from eventhub.brokers.config import OutboxConfig, read_config
from eventhub.brokers.models import Source
from eventhub.brokers.sole_reader import SoleReader
from eventhub.events.message import Message, OutgoingMessage

LOOK_EVERY_S = 0.2


class Outbox:
    """The reader of the outbox for one Source."""

    def __init__(self, source: Source, consumer: str) -> None:
        self._name = source.name
        self._topics = read_config(source, OutboxConfig).topics
        # Read and not yet acknowledged: still unpublished in the table, and not to be read again.
        self._in_flight: set[int] = set()
        with self._errors():
            self._reader = SoleReader("eventhub outbox", source.name)
        self._connection = self._reader.connection

    def poll(self, max_messages: int, timeout_s: float) -> list[Message]:
        """Unpublished messages, oldest first; see Adapter.poll."""
        deadline = monotonic() + timeout_s
        with self._errors():
            while True:
                messages = self._read(max_messages) if self._reader.may_read() else []
                if messages or monotonic() + LOOK_EVERY_S > deadline:
                    return messages
                sleep(LOOK_EVERY_S)

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """Mark them published; see Adapter.acknowledge."""
        ids = [int(message.offset) for message in batch]
        with self._errors():
            self._connection.execute(
                "UPDATE outbox_outboxmessage SET published_at = now() WHERE id = ANY(%s)", [ids]
            )
        self._in_flight.difference_update(ids)

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Write them to the outbox, all or none; see Adapter.publish."""
        rows = [
            (message.topic, message.key, Jsonb(dict(message.headers)), _text(message.body))
            for message in messages
        ]
        with self._errors(), self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO outbox_outboxmessage (topic, key, headers, body) VALUES (%s, %s, %s, %s)", rows
            )

    def lag(self) -> list[Lag]:
        """What waits on each topic; see Adapter.lag."""
        with self._errors():
            rows = self._connection.execute(  # outbox_waiting
                "SELECT topic, count(*), min(created_at) FROM outbox_outboxmessage"
                " WHERE published_at IS NULL AND (%(topics)s::text[] = '{}' OR topic = ANY(%(topics)s))"
                " GROUP BY topic ORDER BY topic",
                {"topics": self._topics},
            ).fetchall()
        now = datetime.now(UTC)
        found = [
            Lag(topic=topic, group="relay", messages=count, oldest_age=now - since)
            for topic, count, since in rows
        ]
        idle = (
            set(self._topics or ["(all)"]) - {lag.topic for lag in found}
            if self._topics or not found
            else set()
        )
        return found + [Lag(topic=topic, group="relay", messages=0) for topic in sorted(idle)]

    def peek(self, max_messages: int, timeout_s: float) -> list[Message]:
        """The newest rows, published ones among them; see Adapter.peek."""
        with self._errors():
            rows = self._connection.execute(
                "SELECT id, topic, key, headers, body, created_at FROM outbox_outboxmessage"
                " WHERE %(topics)s::text[] = '{}' OR topic = ANY(%(topics)s) ORDER BY id DESC LIMIT %(limit)s",
                {"topics": self._topics, "limit": max_messages},
            ).fetchall()
        return _messages(rows)

    def place_of(self, message: OutgoingMessage) -> Place:
        """The outbox takes every topic, and its relay is its one reader; see Adapter.place_of."""
        return Place(exists=True, readers=1)

    def close(self) -> None:
        """Let go of the connection, and of the lock with it."""
        self._reader.close()

    def _read(self, max_messages: int) -> list[Message]:
        rows = self._connection.execute(  # outbox_waiting
            "SELECT id, topic, key, headers, body, created_at FROM outbox_outboxmessage"
            " WHERE published_at IS NULL AND id <> ALL(%(in_flight)s)"
            " AND (%(topics)s::text[] = '{}' OR topic = ANY(%(topics)s))"
            " ORDER BY id LIMIT %(limit)s",
            {"in_flight": list(self._in_flight), "topics": self._topics, "limit": max_messages},
        ).fetchall()
        self._in_flight.update(row[0] for row in rows)
        return _messages(rows)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise BrokerError(f"The outbox cannot be used: {error}") from error


def _messages(rows: Sequence[tuple[Any, ...]]) -> list[Message]:
    """Rows of id, topic, key, headers, body, created_at."""
    return [
        Message(
            body=body.encode(),
            topic=topic,
            offset=str(number),
            origin_key=f"outbox:{number}",
            headers=_headers(headers),
            key=key,
            timestamp=created_at.astimezone(UTC),
        )
        for number, topic, key, headers, body, created_at in rows
    ]


def _headers(value: object) -> dict[str, str]:
    """The headers as a message has them; whoever writes the table can put anything there."""
    return {name.lower(): str(text) for name, text in value.items()} if isinstance(value, dict) else {}


def _text(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise BrokerError(f"The outbox holds text, and this message is not UTF-8: {error}.") from error
    if "\x00" in text:
        raise BrokerError("The outbox holds text, and this message holds a NUL character.")
    return text
