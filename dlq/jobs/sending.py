"""From retries to messages at a broker: reading the letters, finding their way, publishing with confirmation."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

import msgspec
from django.db import connections

from dlq.jobs.options import Options
from dlq.models import Retry
from dlq.routes import NoRoute, Redirects, Route, outgoing, route_of
from eventhub.brokers.adapter import Adapter, BrokerError, Refused, open_adapter
from eventhub.brokers.models import Source
from eventhub.events.message import OutgoingMessage

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
    # Did not fit: they are for the next batch.
    left_over: list[int]

    @property
    def destinations(self) -> dict[int, str]:
        """Where each goes, in words, by its retry."""
        return {parcel.retry_id: parcel.route.destination for parcel in self.parcels}


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


def pack(retry_ids: Sequence[int], options: Options) -> Packed:
    """Read the letters of these retries and make their messages, in this order. Two statements."""
    fitting, left_over = _fitting(retry_ids)
    retries = (
        Retry.objects.filter(pk__in=fitting)
        .select_related("letter__source")
        .defer("letter__stack", "letter__error_message")
        .in_bulk()
    )
    redirects = Redirects.in_force(options.redirect_to)
    parcels: list[Parcel] = []
    homeless: dict[int, str] = {}
    for pk in fitting:
        retry = retries[pk]
        try:
            route = route_of(retry.letter, redirects)
        except NoRoute as error:
            homeless[pk] = str(error)
        else:
            message = outgoing(retry.letter, retry.attempt, route)
            parcels.append(Parcel(pk, retry.letter_id, route, message))
    return Packed(parcels, homeless, left_over)


def _fitting(retry_ids: Sequence[int]) -> tuple[list[int], list[int]]:
    sizes = dict(Retry.objects.filter(pk__in=retry_ids).values_list("pk", "letter__size_bytes"))
    total = 0
    for n, pk in enumerate(retry_ids):
        total += sizes[pk]
        if n and total > MOST_BYTES:
            return list(retry_ids[:n]), list(retry_ids[n:])
    return list(retry_ids), []


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
        for some in by_way.values():
            sent = _both(sent, self._send_one_way(some))
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
