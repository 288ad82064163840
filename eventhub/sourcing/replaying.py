"""Replays: stored events once more to a broker's topic or to a projection, at a rate, marked as replayed.

(To a handler: ``eventhub.handlers.replaying``, which knows what the handler has processed.) What was counted in the dry
run is what is sent: events that come later are not part of it. A batch is sent and noted before the next; when a worker
dies in between, that batch goes out once more.
"""

import math
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import msgspec
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.audit import Actor
from eventhub.brokers.adapter import BrokerError, open_adapter
from eventhub.brokers.models import Source
from eventhub.events.message import OutgoingMessage
from eventhub.events.queries import LogKey, StoredEvent, whole_events
from eventhub.handlers.patterns import BadPattern, check
from eventhub.schemas.personal.sealing import opened
from eventhub.schemas.upcasting.code import upcast
from eventhub.sourcing.models import Replay, ReplayState, ReplayTarget
from eventhub.sourcing.projecting import declaring, following

BATCH = 500
PLAN_TIMEOUT_S = 20
EXAMPLES = 10
REPLAY_HEADER = "eventhub-replay"
AT_HEADER = "eventhub-replayed-at"
BROKER_AGAIN_S = 10.0


class BadReplay(ValueError):
    """What is asked for cannot be meant. The text says what to change."""


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events, and where to; empty text and None leave nothing out."""

    target: str
    name: str
    source: str = ""
    event_types: list[str] = []
    stream: str = ""
    category: str = ""
    correlation_id: str = ""
    service: str = ""
    since: datetime | None = None
    until: datetime | None = None
    per_s: float | None = None


class Plan(msgspec.Struct, frozen=True):
    """What a replay would send: how many events, and the first of them."""

    total: int
    examples: list[StoredEvent]


def plan(wanted: Wanted) -> Plan:
    """The dry run. Raises BadReplay."""
    _check(wanted)
    sql, values = _where(wanted, LogKey(0, 0), _horizon())
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL statement_timeout = '{PLAN_TIMEOUT_S}s'")
            cursor.execute(f"SELECT count(*) FROM events_event {sql}", values)  # noqa: S608 - of constants
            row = cursor.fetchone()
            examples = _read(sql, values, EXAMPLES)
    except OperationalError as error:
        raise BadReplay(
            f"Counting took longer than {PLAN_TIMEOUT_S} s. Narrow it down by time or stream."
        ) from error
    return Plan(row[0] if row else 0, examples)


@transaction.atomic
def start(wanted: Wanted, actor: Actor) -> Replay:
    """Begin a replay; workers carry it on. Raises BadReplay."""
    end = _horizon()
    found = plan(wanted)
    replay = Replay.objects.create(
        **msgspec.structs.asdict(wanted), total=found.total, end_txid=end, requested_by=actor.name[:150]
    )
    audit.record(actor, "replay", f"{wanted.target} {wanted.name}", replay=replay.pk, events=found.total)
    return replay


@transaction.atomic
def cancel(pk: int, actor: Actor) -> Replay:
    """Send nothing more; what is out stays out. Raises Replay.DoesNotExist."""
    replay = Replay.objects.select_for_update().get(pk=pk)
    if replay.state == ReplayState.RUNNING:
        _finish(replay, ReplayState.CANCELLED)
        replay.save()
        audit.record(actor, "cancel", f"replay {pk}", sent=replay.sent)
    return replay


def advance(for_s: float = 2.0) -> int:
    """Carry on what is due, for about `for_s` seconds; how many events were sent."""
    until, total = monotonic() + for_s, 0
    while monotonic() < until:
        sent = _advance_one()
        if sent is None:
            break
        total += sent
    return total


@transaction.atomic
def _advance_one() -> int | None:
    """Send one batch of a replay that is due; how many, None when none is due."""
    replay = (
        Replay.objects.select_for_update(skip_locked=True)
        .filter(state=ReplayState.RUNNING, due_at__lte=timezone.now())
        .order_by("due_at")
        .first()
    )
    if replay is None:
        return None
    size = BATCH if replay.per_s is None else max(1, min(BATCH, math.ceil(replay.per_s)))
    sql, values = _where(_wanted(replay), LogKey(replay.txid, replay.position), replay.end_txid)
    events = _read(sql, values, size)
    try:
        _send(replay, events)
    except BrokerError as error:
        replay.reason, replay.due_at = str(error), timezone.now() + timedelta(seconds=BROKER_AGAIN_S)
    except BadReplay as error:
        replay.reason = str(error)
        _finish(replay, ReplayState.FAILED)
    else:
        replay.reason = ""
        replay.sent += len(events)
        if events:
            replay.txid, replay.position = events[-1].txid, events[-1].position
        if len(events) < size:
            _finish(replay, ReplayState.DONE)
        replay.due_at = timezone.now() + timedelta(seconds=len(events) / replay.per_s if replay.per_s else 0)
    replay.save()
    return len(events) if not replay.reason else 0


def _send(replay: Replay, events: list[StoredEvent]) -> None:
    if not events:
        return
    if replay.target == ReplayTarget.PROJECTION:
        declared = declaring.declared().get(replay.name)
        if declared is None:
            raise BadReplay(f"The projection {replay.name!r} is not in the code any more.")
        fitting = [upcast(event) for event in events if declared.wants(event.event_type)]
        done, error = following.apply_now(declared, fitting)
        if error is not None:
            raise BadReplay(f"It cannot take in {fitting[done].event_id}: {type(error).__name__}: {error}")
        return
    source = Source.objects.filter(name=replay.source).first()
    if source is None:
        raise BadReplay(f"The source {replay.source!r} is gone.")
    adapter = open_adapter(source, f"replay-{replay.pk}")
    try:
        adapter.publish([_message(replay, event) for event in events])
    finally:
        adapter.close()


def _message(replay: Replay, event: StoredEvent) -> OutgoingMessage:
    """The event as it is told to a broker: under its own id, marked as replayed."""
    named = {
        "source": event.source,
        "correlation_id": event.correlation_id,
        "causation_id": event.causation_id,
        "stream": event.stream,
        "stream_version": event.stream_version,
    }
    body = {
        "event_id": event.event_id,
        "event_type": event.event_type,
        "event_version": event.event_version,
        "timestamp": event.occurred_at,
        "data": msgspec.Raw((opened(event).data or "null").encode()),
        "metadata": event.metadata_value
        | {name: value for name, value in named.items() if value is not None},
    }
    headers = (
        ("content-type", "application/json"),
        (REPLAY_HEADER, str(replay.pk)),
        (AT_HEADER, timezone.now().isoformat()),
    )
    return OutgoingMessage(msgspec.json.encode(body), replay.name, headers, event.message_key or event.stream)


def _check(wanted: Wanted) -> None:
    if wanted.target not in ReplayTarget.values:
        raise BadReplay(f"Where to? Say one of: {', '.join(ReplayTarget.values)}.")
    for pattern in wanted.event_types:
        try:
            check(pattern)
        except BadPattern as error:
            raise BadReplay(f"{pattern!r} {error}.") from error
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise BadReplay("The range ends before it begins.")
    if wanted.per_s is not None and not 0 < wanted.per_s < 1_000_000:
        raise BadReplay("A rate is a number of events a second above 0.")
    if wanted.target == ReplayTarget.PROJECTION and wanted.name not in declaring.declared():
        raise BadReplay(f"There is no projection {wanted.name!r}.")
    if wanted.target == ReplayTarget.TOPIC:
        if not wanted.name:
            raise BadReplay("To which topic?")
        if not Source.objects.filter(name=wanted.source).exists():
            raise BadReplay(f"There is no source {wanted.source!r}; name the one whose broker has the topic.")


def _where(wanted: Wanted, after: LogKey, end_txid: int) -> tuple[str, list[Any]]:
    """The clause behind FROM events_event, with its values. Index events_event_log, forwards."""
    clauses = ["(txid, position) > (%s::xid8, %s)", "txid < %s::xid8"]
    values: list[Any] = [str(after.txid), after.position, str(end_txid)]
    for clause, value in (
        (
            "event_type LIKE ANY(%s)",
            [pattern.replace("_", r"\_").replace("*", "%") for pattern in wanted.event_types],
        ),
        ("stream = %s", wanted.stream),
        ("split_part(stream, '-', 1) = %s", wanted.category),
        ("correlation_id = %s", wanted.correlation_id),
        ("source = %s", wanted.service),
        ("occurred_at >= %s", wanted.since),
        ("occurred_at < %s", wanted.until),
    ):
        if value:
            clauses.append(clause)
            values.append(value)
    return f"WHERE {' AND '.join(clauses)}", values


def _read(sql: str, values: list[Any], limit: int) -> list[StoredEvent]:
    return whole_events(f"{sql} ORDER BY events_event.txid, position LIMIT %s", [*values, limit])


def _wanted(replay: Replay) -> Wanted:
    return Wanted(**{name: getattr(replay, name) for name in Wanted.__struct_fields__})


def _horizon() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _finish(replay: Replay, state: ReplayState) -> None:
    replay.state, replay.finished_at = state, timezone.now()
