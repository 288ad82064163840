"""Where the reading of a stream of RabbitMQ stands.

Over AMQP 0.9.1 the broker keeps no account of what was read of a stream, and gives every consumer all of it. So the
position lives in PostgreSQL, and one worker reads while the others stand by.
"""

import logging
from datetime import datetime
from time import monotonic
from typing import Any

from eventhub.brokers.rabbitmq.consuming import Consumer
from eventhub.brokers.rabbitmq.headers import read_headers
from eventhub.brokers.rabbitmq.properties import STREAM_OFFSET, read_properties
from eventhub.brokers.rabbitmq.tap import Tap
from eventhub.brokers.sole_reader import SoleReader

log = logging.getLogger(__name__)

# The last message that was stored is asked for again. A stream that has it gives it at once; one that gives nothing
# for this long is not the one that was read: it was deleted and made anew.
PROOF_TIMEOUT_S = 20.0
# The end of a stream is where nothing more comes within this.
END_TIMEOUT_S = 0.5

Start = str | int | datetime


class StreamPosition:
    """How far one source has read one stream. Raises psycopg.Error, as SoleReader does."""

    def __init__(self, tap: Tap) -> None:
        self._source_id: int | None = tap.source.pk
        self._queue = tap.queue
        self._start = tap.config.stream_start
        self._reader = SoleReader("eventhub rabbitmq stream", f"{tap.source.name}/{tap.queue}")
        self._stored: int | None = None
        # Set while the stream has not proven yet that it is the one that was read.
        self._doubt_from: float | None = None
        # The offsets of what was read and not acknowledged, by delivery tag.
        self._offsets: dict[int, int] = {}

    def may_read(self) -> bool:
        """Whether this is the worker that reads."""
        return self._reader.may_read()

    def begin(self) -> Start:
        """Where to begin, as ``x-stream-offset`` has it: with the last message that was stored."""
        row = self._reader.connection.execute(
            'SELECT "offset" FROM brokers_readposition WHERE source_id = %s AND queue = %s',
            (self._source_id, self._queue),
        ).fetchone()
        self._stored = int(row[0]) if row else None
        self._offsets.clear()
        if self._stored is None:
            return _start(self._start)
        self._doubt_from = monotonic()
        return self._stored

    def note(self, tag: int, offset: int) -> bool:
        """A delivery came in; False when what it brings is stored already."""
        self._doubt_from = None
        self._offsets[tag] = offset
        return self._stored is None or offset > self._stored

    def is_lost(self) -> bool:
        """Whether the stream does not reach to where reading stood; then it is forgotten, to begin again."""
        if self._doubt_from is None or monotonic() < self._doubt_from + PROOF_TIMEOUT_S:
            return False
        log.warning(
            "The stream %s does not hold the message %s any more that was read last: it was made anew. It is read "
            "from its beginning.",
            self._queue,
            self._stored,
        )
        self._start = "first"
        self._reader.connection.execute(
            "DELETE FROM brokers_readposition WHERE source_id = %s AND queue = %s",
            (self._source_id, self._queue),
        )
        return True

    def save(self, tag: int) -> None:
        """Everything up to the delivery `tag` is stored."""
        offset = self._offsets[tag]
        self._offsets = {later: kept for later, kept in self._offsets.items() if later > tag}
        if self._source_id is None:
            return
        self._reader.connection.execute(
            'INSERT INTO brokers_readposition (source_id, queue, "offset", at) VALUES (%s, %s, %s, now())'
            ' ON CONFLICT (source_id, queue) DO UPDATE SET "offset" = excluded."offset", at = excluded.at',
            (self._source_id, self._queue, offset),
        )
        self._stored = offset

    def close(self) -> None:
        """Let others read. Never raises."""
        self._reader.close()


def _start(text: str) -> Start:
    if text.isdigit():
        return int(text)
    return text if text in ("first", "last", "next") else datetime.fromisoformat(text)


def last_offset(connection: Any, stream: str) -> int | None:
    """The offset of a stream's last message; None when it is empty. Reads its last chunk. The connection is used up.

    Raises what `Consumer` raises.
    """
    consumer = Consumer(connection, stream, 1000, arguments={STREAM_OFFSET: "last"})
    last = None
    while deliveries := consumer.read(1000, END_TIMEOUT_S):
        _, table = read_properties(deliveries[-1].properties)
        last = int(dict(read_headers(table).pairs)[STREAM_OFFSET])
        consumer.acknowledge(delivery.tag for delivery in deliveries)
    consumer.close()
    return last
