"""Redis Streams: a consumer group over one or more streams.

An entry's field ``body`` is the message and its other fields are headers. An entry of one field is that field's
value; any other entry is taken as one JSON object of its fields.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec
import redis
from django.conf import settings

from eventhub.brokers.adapter import BrokerError, Lag, Place, Refused
from eventhub.brokers.config import RedisConfig, read_config
from eventhub.brokers.redis_watching import NOBODY_READS, lags_of, streams_there, time_of
from eventhub.events.message import Message, OutgoingMessage, lower_headers

if TYPE_CHECKING:  # the outbox's relay publishes in projects that have no sources
    from eventhub.brokers.models import Source

# Redis bounds what it returns by count, not by size. So a batch is read in chunks, which begin small and
# shrink when messages are large: that bounds memory.
CHUNK = 250
FIRST_CHUNK = 16
CHUNK_BYTES = 4_000_000
BATCH_BYTES = 16_000_000
# Messages that another consumer took and did not acknowledge for this long are taken over: its worker is gone.
ABANDONED_AFTER = timedelta(seconds=60)
LOOK_FOR_ABANDONED_EVERY_S = 20.0
BODY = b"body"
LONG_AGO = datetime.fromtimestamp(0, UTC)

# A raw reply: entries as [id, [field, value, field, value, …]], with None for an entry deleted meanwhile.
Entry = tuple[bytes, list[bytes] | None]


class RedisStreams:
    """One reader of the streams of a Source. Delivery is at least once: what is not acknowledged comes again."""

    def __init__(self, source: "Source", consumer: str) -> None:
        config = read_config(source, RedisConfig)
        self._name = source.name
        self._streams = config.streams
        self._group = config.group
        self._start = config.start
        self._consumer = consumer
        self._chunk = FIRST_CHUNK
        # Where reading this consumer's own unacknowledged messages stands, per stream; empty once all were read.
        self._own_pending = dict.fromkeys(self._streams, "0")
        self._look_for_abandoned_at = monotonic() + LOOK_FOR_ABANDONED_EVERY_S
        url = config.url or settings.REDIS_URL
        password = {"password": config.password} if config.url and config.password else {}
        # RESP2 and undecoded: replies stay plain lists of bytes.
        self._redis: Any = redis.Redis.from_url(
            url, protocol=2, socket_timeout=20, socket_connect_timeout=5, health_check_interval=30, **password
        )
        # redis-py turns replies of these commands into dictionaries; the raw lists are half the work.
        for command in ("XREADGROUP", "XAUTOCLAIM", "XREVRANGE"):
            self._redis.response_callbacks.pop(command, None)
        self._group_is_there = False

    def poll(self, max_messages: int, timeout_s: float) -> list[Message]:
        """Own unacknowledged messages first, then abandoned ones, then new ones; see Adapter.poll."""
        with self._errors():
            if not self._group_is_there:
                self._make_group()
            try:
                return (
                    self._read_own_pending(max_messages)
                    or self._take_over_abandoned(max_messages)
                    or self._read_new(max_messages, timeout_s)
                )
            except redis.ResponseError as error:
                if not str(error).startswith("NOGROUP"):
                    raise
                self._group_is_there = False  # the stream was deleted or Redis was flushed: begin again
                return []

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """XACK them all; see Adapter.acknowledge."""
        by_stream: dict[str, list[str]] = defaultdict(list)
        for message in batch:
            by_stream[message.topic].append(message.offset)
        with self._errors(), self._redis.pipeline(transaction=False) as pipeline:
            for stream, ids in by_stream.items():
                pipeline.execute_command("XACK", stream, self._group, *ids)
            pipeline.execute()

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """XADD them all; see Adapter.publish."""
        with self._errors(), self._redis.pipeline(transaction=False) as pipeline:
            for message in messages:
                fields = [part for name, value in message.headers for part in (name, value)]
                pipeline.execute_command("XADD", message.topic, "*", "body", message.body, *fields)
            replies = pipeline.execute(raise_on_error=False)
        refused = {
            n: f"Redis refused: {reply}"
            for n, reply in enumerate(replies)
            if isinstance(reply, redis.ResponseError)
        }
        if refused:
            raise Refused(refused)

    def lag(self) -> list[Lag]:
        """What waits for every consumer group of the streams, not only for this one; see Adapter.lag."""
        with self._errors():
            told = lags_of(self._redis, self._streams)
        return [lag for lag in told if lag.group or lag.why_unknown != NOBODY_READS]

    @property
    def broker(self) -> str:
        """See WatchesAll."""
        told = self._redis.connection_pool.connection_kwargs
        place = told.get("path") or f"{told.get('host', 'localhost')}:{told.get('port', 6379)}"
        return f"{place}/{told.get('db') or 0}"

    def everything(self) -> list[Lag]:
        """Every group of every stream in this database of the Redis; see WatchesAll."""
        with self._errors():
            return lags_of(self._redis, streams_there(self._redis, self.broker, self._streams))

    def peek(self, max_messages: int, timeout_s: float) -> list[Message]:
        """XREVRANGE of each stream, which no group notices; see Adapter.peek."""
        with self._errors():
            found: list[Message] = []
            for stream in self._streams:
                entries = self._redis.execute_command("XREVRANGE", stream, "+", "-", "COUNT", max_messages)
                found += self._messages(stream, entries)
        return sorted(found, key=lambda message: message.timestamp or LONG_AGO, reverse=True)[:max_messages]

    def place_of(self, message: OutgoingMessage) -> Place:
        """Whether the stream is there and how many groups read it; see Adapter.place_of."""
        with self._errors():
            kind = self._redis.type(message.topic)
            if kind == b"none":
                return Place(
                    exists=False, readers=0, note="Redis makes the stream when something is published to it."
                )
            if kind != b"stream":
                return Place(
                    exists=False, note=f"The key {message.topic} holds a {kind.decode()}, not a stream."
                )
            return Place(exists=True, readers=len(self._redis.xinfo_groups(message.topic)))

    def close(self) -> None:
        """Let go of the connections."""
        self._redis.close()

    def _make_group(self) -> None:
        for stream in self._streams:
            try:
                self._redis.xgroup_create(stream, self._group, id=self._start, mkstream=True)
            except redis.ResponseError as error:
                if not str(error).startswith("BUSYGROUP"):
                    raise
        self._group_is_there = True

    def _read_own_pending(self, max_messages: int) -> list[Message]:
        """What this consumer was given before it was last restarted, and did not acknowledge."""
        messages: list[Message] = []
        while self._own_pending and not messages:
            streams = list(self._own_pending)
            count = max(1, min(self._chunk, max_messages) // len(streams))
            reply = self._read_group(count, [], streams, [self._own_pending[stream] for stream in streams])
            read = {stream.decode(): entries for stream, entries in reply}
            for stream in streams:
                entries = read.get(stream, [])
                if entries:
                    self._own_pending[stream] = entries[-1][0].decode()
                else:
                    del self._own_pending[stream]
                messages += self._messages(stream, entries)
        return messages

    def _take_over_abandoned(self, max_messages: int) -> list[Message]:
        now = monotonic()
        if now < self._look_for_abandoned_at:
            return []
        messages: list[Message] = []
        min_idle_ms = int(ABANDONED_AFTER.total_seconds() * 1000)
        for stream in self._streams:
            room = min(self._chunk, max_messages - len(messages))
            if room <= 0:
                break
            reply = self._redis.execute_command(
                "XAUTOCLAIM", stream, self._group, self._consumer, min_idle_ms, "0-0", "COUNT", room
            )
            messages += self._messages(stream, reply[1])
        if not messages:  # otherwise there may be more: look again at once
            self._look_for_abandoned_at = now + LOOK_FOR_ABANDONED_EVERY_S
        return messages

    def _read_new(self, max_messages: int, timeout_s: float) -> list[Message]:
        messages: list[Message] = []
        size = 0
        block: list[object] = ["BLOCK", max(1, int(timeout_s * 1000))] if timeout_s > 0 else []
        new = [">"] * len(self._streams)
        while len(messages) < max_messages and size < BATCH_BYTES:
            count = max(1, min(self._chunk, max_messages - len(messages)) // len(self._streams))
            reply = self._read_group(count, block, self._streams, new)
            block = []
            largest = 0
            for stream, entries in reply:
                found = self._messages(stream.decode(), entries)
                messages += found
                sizes = [len(message.body) for message in found]
                size += sum(sizes)
                largest = max(largest, *sizes, 0)
            self._chunk = max(1, min(CHUNK, CHUNK_BYTES // max(largest, 1), self._chunk * 4))
            if all(len(entries) < count for _, entries in reply):
                break
        return messages

    def _read_group(
        self, count: int, block: list[object], streams: Sequence[str], ids: Sequence[str]
    ) -> list[tuple[bytes, list[Entry]]]:
        reply: Any = self._redis.execute_command(
            "XREADGROUP",
            "GROUP",
            self._group,
            self._consumer,
            "COUNT",
            count,
            *block,
            "STREAMS",
            *streams,
            *ids,
        )
        return reply or []

    def _messages(self, stream: str, entries: Sequence[Entry]) -> list[Message]:
        messages = []
        gone = []
        for raw_id, fields in entries:
            entry_id = raw_id.decode()
            if fields is None:
                gone.append(entry_id)
                continue
            body, pairs = _read_fields(fields)
            headers, raw_headers = lower_headers(pairs)
            messages.append(
                Message(
                    body,
                    stream,
                    entry_id,
                    f"redis:{self._name}/{stream}/{entry_id}",
                    headers,
                    timestamp=time_of(entry_id),
                    raw_headers=raw_headers,
                )
            )
        if gone:  # deleted or trimmed before it was read: nothing is left to store
            self._redis.execute_command("XACK", stream, self._group, *gone)
        return messages

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise BrokerError(
                f"Redis cannot be reached: {error}. Check that it runs, and its address."
            ) from error
        except redis.RedisError as error:
            raise BrokerError(f"Redis refused: {error}") from error


def _read_fields(fields: list[bytes]) -> tuple[bytes, list[tuple[str, str]]]:
    if len(fields) == 2:
        return fields[1], []
    pairs = dict(zip(fields[::2], fields[1::2], strict=True))
    body = pairs.pop(BODY, None)
    if body is None:
        return msgspec.json.encode({_text(name): _text(value) for name, value in pairs.items()}), []
    return body, [(_text(name), _text(value)) for name, value in pairs.items()]


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
