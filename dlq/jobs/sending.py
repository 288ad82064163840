"""From retries to messages at a broker: reading the letters, finding their way, publishing with confirmation."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol

import msgspec
from django.db import connection, connections

from dlq.edits.message import dressed, in_force
from dlq.jobs.batches import array
from dlq.jobs.options import Options
from dlq.routes import NoRoute, Redirects, Route, Sendable, outgoing, route_of
from eventhub.brokers.adapter import Adapter, BrokerError, Refused, open_adapter
from eventhub.brokers.models import Source
from eventhub.events.message import OutgoingMessage
from eventhub.telemetry.operations import operation

# A batch holds no more bytes of bodies than this, and one letter at least.
MOST_BYTES = 16 * 1024 * 1024


class Parcel(msgspec.Struct, frozen=True):
    """One retry as it is published."""

    retry_id: int
    letter_id: int
    route: Route
    message: OutgoingMessage


class Packed(msgspec.Struct, frozen=True):
    """Retries made ready: what can be sent, and what has nowhere to go, with the reason."""

    parcels: list[Parcel]
    homeless: dict[int, str]
    # Their letters were closed meanwhile.
    closed: list[int]


class Sent(msgspec.Struct, frozen=True):
    """What became of parcels."""

    confirmed: list[int] = []
    # Surely not out, with the reason.
    refused: dict[int, str] = {}
    # The connection could not be made: surely not out, and worth another try.
    unsent: list[int] = []
    # The connection broke: nobody knows which of them are out.
    unknown: list[int] = []
    trouble: str = ""


class Sizable(Protocol):
    """A retry with the size of its letter."""

    @property
    def retry_id(self) -> int: ...  # noqa: D102
    @property
    def size_bytes(self) -> int: ...  # noqa: D102


def fitting(retries: Sequence[Sizable]) -> list[int]:
    """The first of `retries` whose bodies fit one batch together, one at least."""
    total = 0
    for n, retry in enumerate(retries):
        total += retry.size_bytes
        if n and total > MOST_BYTES:
            return [retry.retry_id for retry in retries[:n]]
    return [retry.retry_id for retry in retries]


class Packer:
    """Makes messages of letters; knows their sources and the redirects, as they were when it was made."""

    def __init__(self, options: Options) -> None:
        self._redirects = Redirects.in_force(options.redirect_to)
        self._sources: dict[int, Source] = {}

    def pack(self, retry_ids: Sequence[int]) -> Packed:
        """Read the letters of these retries and make their messages, in the order of the retries.

        An edited letter goes as its edit.
        """
        parcels: list[Parcel] = []
        homeless: dict[int, str] = {}
        rows = self._read(retry_ids)
        edits = in_force(edited) if (edited := [row.letter.pk for row in rows if row.is_edited]) else {}
        for row in rows:
            if row.is_closed:
                continue
            try:
                route = route_of(row.letter, self._redirects)
            except NoRoute as error:
                homeless[row.retry_id] = str(error)
            else:
                message = outgoing(row.letter, row.attempt, route)
                if edit := edits.get(row.letter.pk):
                    message = dressed(message, edit)
                parcels.append(Parcel(row.retry_id, row.letter.pk, route, message))
        return Packed(parcels, homeless, closed=[row.retry_id for row in rows if row.is_closed])

    def _read(self, retry_ids: Sequence[int]) -> list["_Row"]:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT retry.id, retry.attempt, letter.status NOT IN ('open', 'sent'),
                       EXISTS (SELECT FROM dlq_edit WHERE letter_id = letter.id AND state = 'approved'),
                       letter.source_id, letter.id, letter.reason, letter.topic, letter.read_from, letter.partition,
                       letter.key, letter.failed_in, letter.body,
                       letter.headers::text, letter.raw_headers::text, letter.properties::text
                FROM dlq_retry retry JOIN dlq_deadletter letter ON letter.id = retry.letter_id
                WHERE retry.id = ANY(%s::bigint[]) ORDER BY retry.id
                """,
                [array(retry_ids)],
            )
            found = cursor.fetchall()
        if unknown := {row[4] for row in found} - self._sources.keys():
            self._sources |= Source.objects.in_bulk(unknown)
        rows = []
        for (
            retry_id,
            attempt,
            is_closed,
            is_edited,
            source_id,
            *fields,
            headers,
            raw_headers,
            properties,
        ) in found:
            fields += (_texts(headers), _pairs(raw_headers) if raw_headers else None, _texts(properties))
            letter = Sendable(self._sources[source_id], *fields)
            rows.append(_Row(retry_id, attempt, is_closed, is_edited, letter))
        return rows


class _Row(msgspec.Struct, frozen=True):
    retry_id: int
    attempt: int
    is_closed: bool
    is_edited: bool
    letter: Sendable


_texts = msgspec.json.Decoder(dict[str, str]).decode
_pairs = msgspec.json.Decoder(list[tuple[str, str]]).decode


class Senders:
    """The connections that a worker publishes through, in a thread of their own: one for each source, kept open.

    A thread, so that the database is busy with the letters before and after while the broker confirms these.
    """

    def __init__(self) -> None:
        self._adapters: dict[int, Adapter] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="retries")

    def __enter__(self) -> "Senders":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.submit(self._close).result()
        self._thread.shutdown()

    def start(self, parcels: Sequence[Parcel]) -> "Future[Sent]":
        """Begin to publish; the result is there when the broker confirmed or refused each of them, or broke off."""
        return self._thread.submit(self._send, parcels)

    def _send(self, parcels: Sequence[Parcel]) -> Sent:
        by_way: dict[tuple[int, int], list[Parcel]] = {}
        for parcel in parcels:
            by_way.setdefault((parcel.route.source.pk, id(parcel.route.publish)), []).append(parcel)
        sent = Sent([], {}, [], [])
        with operation("dlq.retry", items=len(parcels)) as told:
            for some in by_way.values():
                sent = _both(sent, self._send_one_way(some))
            told.set(eventhub_confirmed=len(sent.confirmed), eventhub_refused=len(sent.refused))
            if sent.refused or sent.unsent:
                told.fail("NotSent")
        return sent

    def _send_one_way(self, some: list[Parcel]) -> Sent:
        route, ids = some[0].route, [parcel.retry_id for parcel in some]
        publish = route.publish
        if publish is None:
            try:
                adapter = self._adapter(route.source)
            except BrokerError as error:
                return Sent(unsent=ids, trouble=str(error))
        messages = [parcel.message for parcel in some]
        try:
            if publish is None:
                adapter.publish(messages)
            else:
                publish(route.source, messages)
        except Refused as refusal:
            why = refusal.reasons
            return Sent(
                confirmed=[pk for n, pk in enumerate(ids) if n not in why],
                refused={pk: f"It could not be sent: {why[n]}" for n, pk in enumerate(ids) if n in why},
            )
        except BrokerError as error:
            self._forget(route.source)
            return Sent(unknown=ids, trouble=str(error))
        return Sent(confirmed=ids)

    def _adapter(self, source: Source) -> Adapter:
        adapter = self._adapters.get(source.pk)
        if adapter is None:
            adapter = self._adapters[source.pk] = open_adapter(source, consumer="eventhub-retry")
        return adapter

    def _forget(self, source: Source) -> None:
        """The next one begins with a new connection."""
        if adapter := self._adapters.pop(source.pk, None):
            adapter.close()

    def _close(self) -> None:
        for adapter in self._adapters.values():
            adapter.close()
        self._adapters.clear()
        connections.close_all()  # nobody else closes a thread's connections


def _both(one: Sent, other: Sent) -> Sent:
    return Sent(
        one.confirmed + other.confirmed,
        one.refused | other.refused,
        one.unsent + other.unsent,
        one.unknown + other.unknown,
        other.trouble or one.trouble,
    )
