"""Stored events delivered to one handler: what it would do (`plan`), begun (`start`), and carried on (`advance`).

A replay adds a stretch of deliveries whenever few of the handler's wait, so that today's events never stand behind a
million of yesterday's. How far it has come is committed with the deliveries it added.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic

import msgspec
from django.db import connection, transaction
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.audit import Actor
from eventhub.handlers import control, figures, registry, waking
from eventhub.handlers.models import Handler, Replay, ReplayState, State, Which
from eventhub.handlers.registry import Subscription
from eventhub.handlers.selecting import BadSelection, Found, Place, Selection, check, source_of, walk

# A plan counts no further, and no longer than this.
MOST_PLANNED = 1_000_000
PLAN_TIMEOUT_S = 20
EXAMPLES = 20
# So many of the handler's deliveries may wait before a replay adds more.
MOST_WAITING = 2_000
STRETCH = 1_000
TASK_S = 2.0
# States of a delivery that a replay makes wait again.
AGAIN = {
    Which.MISSED: [State.GONE],
    Which.DEAD: [State.GONE, State.DEAD],
    Which.ALL: [State.GONE, State.DEAD, State.DONE],
}


class Example(msgspec.Struct, frozen=True):
    """One event of a plan; `state` is its delivery's, empty where it has none."""

    event_id: str
    event_type: str
    occurred_at: datetime
    state: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a replay would find, counted without changing anything."""

    # How many were never delivered to the handler, wait for it, were processed, are dead letters.
    missed: int
    waiting: int
    processed: int
    dead: int
    # There are more than were counted.
    is_more: bool
    # The earliest of them.
    examples: list[Example]
    since: datetime | None
    until: datetime

    @property
    def total(self) -> int:
        """All of them."""
        return self.missed + self.waiting + self.processed + self.dead

    def delivers(self, which: str) -> int:
        """How many of them a replay of `which` delivers."""
        dead = self.dead if which in (Which.DEAD, Which.ALL) else 0
        return self.missed + dead + (self.processed if which == Which.ALL else 0)


def plan(name: str, selection: Selection, now: datetime | None = None) -> Plan:
    """The dry run. Raises NoSuchHandler, BadSelection, and django.db.OperationalError when counting takes too long."""
    subscription, handler = _find(name)
    until = selection.until or now or timezone.now()
    chosen = msgspec.structs.replace(check(subscription, selection), until=until)
    sql, values = source_of(chosen, Place(None, 0), MOST_PLANNED + 1)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout = '{PLAN_TIMEOUT_S}s'")
        cursor.execute(
            f"""
            SELECT coalesce(d.state, ''), count(*)
            FROM (SELECT event_id, occurred_at FROM {sql} LIMIT %s) AS event
            LEFT JOIN handlers_delivery d ON d.handler_id = %s AND d.event_id = event.event_id
                AND d.occurred_at = event.occurred_at
            GROUP BY 1
            """,  # noqa: S608 - put together from constants
            [*values, MOST_PLANNED + 1, handler.pk],
        )
        counts = dict(cursor.fetchall())
    return Plan(
        missed=counts.get("", 0) + counts.get(State.GONE, 0),
        waiting=counts.get(State.WAITING, 0),
        processed=counts.get(State.DONE, 0),
        dead=counts.get(State.DEAD, 0),
        is_more=sum(counts.values()) > MOST_PLANNED,
        examples=_examples(handler, walk(chosen, Place(None, 0), EXAMPLES)),
        since=selection.since,
        until=until,
    )


@transaction.atomic
def start(name: str, selection: Selection, which: str, actor: Actor) -> Replay:
    """Begin a replay; workers carry it on. Raises NoSuchHandler and BadSelection."""
    subscription, handler = _find(name)
    if which not in Which.values:
        raise BadSelection(f"Which events? Say one of: {', '.join(Which.values)}.")
    check(subscription, selection)
    replay = Replay.objects.create(
        handler=handler,
        event_types=list(selection.event_types),
        correlation_id=selection.correlation_id,
        service=selection.service,
        since=selection.since,
        # What comes later is delivered anyway.
        until=selection.until or timezone.now() + timedelta(seconds=1),
        which=which,
        requested_by=actor.name[:150],
    )
    audit.record(
        actor, "replay", f"handler {name}", replay=replay.pk, which=which, selection=_told(selection)
    )
    transaction.on_commit(waking.wake_replays, robust=True)
    return replay


@transaction.atomic
def cancel(replay_id: int, actor: Actor) -> Replay:
    """Add no more deliveries; those that were added stay. Raises Replay.DoesNotExist."""
    replay = Replay.objects.select_for_update().get(pk=replay_id)
    if replay.state == ReplayState.RUNNING:
        replay.state = ReplayState.CANCELLED
        replay.finished_at = timezone.now()
        replay.save(update_fields=["state", "finished_at"])
        audit.record(actor, "cancel", f"replay {replay.pk} to handler {replay.handler.name}")
    return replay


def is_any_running() -> bool:
    """Whether `advance` has something to do."""
    return Replay.objects.filter(state=ReplayState.RUNNING).exists()


def advance(task_s: float = TASK_S) -> None:
    """Carry on all replays for about `task_s` seconds. Several at once do no harm."""
    until = monotonic() + task_s
    for replay_id in list(Replay.objects.filter(state=ReplayState.RUNNING).values_list("pk", flat=True)):
        while monotonic() < until and _advance(replay_id):
            pass


def _advance(replay_id: int) -> bool:
    """Add one stretch; whether there may be room for another."""
    with transaction.atomic():
        replay = (
            Replay.objects.filter(pk=replay_id, state=ReplayState.RUNNING)
            .select_related("handler")
            .select_for_update(of=("self",), skip_locked=True)
            .first()
        )
        if replay is None:
            return False
        subscription = registry.subscriptions().get(replay.handler.name)
        if subscription is None:
            return False
        room = min(STRETCH, MOST_WAITING - figures.waiting_of([replay.handler_id])[replay.handler_id].total)
        if room <= 0:
            return False
        selection = check(subscription, selection_of(replay))
        found = walk(selection, Place(replay.at_time, replay.at_position), room)
        written = _deliver(subscription, replay, found)
        replay.looked_at += len(found)
        replay.delivered += written
        if found:
            replay.at_time, replay.at_position = found[-1].occurred_at, found[-1].position
        if len(found) < room:
            replay.state = ReplayState.DONE
            replay.finished_at = timezone.now()
        replay.save()
        if written:
            transaction.on_commit(waking.wake, robust=True)
    return replay.state == ReplayState.RUNNING


def selection_of(replay: Replay) -> Selection:
    """The events that were asked for."""
    return Selection(
        event_types=replay.event_types,
        correlation_id=replay.correlation_id,
        service=replay.service,
        since=replay.since,
        until=replay.until,
    )


def _deliver(subscription: Subscription, replay: Replay, found: Sequence[Found]) -> int:
    """Write deliveries of these events, or make those wait again that are to; returns how many."""
    if not found:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO handlers_delivery AS d (handler_id, event_id, occurred_at, event_type, order_key)
            SELECT %s, event.* FROM unnest(%s::text[], %s::timestamptz[], %s::text[], %s::text[]) AS event
            ON CONFLICT (event_id, occurred_at, handler_id) DO UPDATE
                SET state = 'waiting', earlier_attempts = d.attempts, lost = 0, due_at = excluded.due_at,
                    place = excluded.place, finished_at = NULL, retry_of = NULL, retry_attempt = NULL
                WHERE d.state = ANY(%s)
            """,
            [
                replay.handler_id,
                [event.event_id for event in found],
                [event.occurred_at for event in found],
                [event.event_type for event in found],
                [subscription.order_key(event.correlation_id, event.stream) for event in found],
                [state.value for state in AGAIN[Which(replay.which)]],
            ],
        )
        return int(cursor.rowcount)


def _examples(handler: Handler, found: Sequence[Found]) -> list[Example]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT event_id, occurred_at, state FROM handlers_delivery WHERE handler_id = %s AND event_id = ANY(%s)",
            [handler.pk, [event.event_id for event in found]],
        )
        states = {(event_id, at): state for event_id, at, state in cursor.fetchall()}
    return [
        Example(
            event.event_id,
            event.event_type,
            event.occurred_at,
            states.get((event.event_id, event.occurred_at), ""),
        )
        for event in found
    ]


def _find(name: str) -> tuple[Subscription, Handler]:
    subscription = registry.subscriptions().get(name)
    if subscription is None:
        control.find(name)  # says which there are
        raise BadSelection(f"{name} is not in the code any more: nothing can be replayed to it.")
    return subscription, control.find(name)


def _told(selection: Selection) -> dict[str, object]:
    """The selection for the audit log."""
    told = {name: value for name, value in msgspec.structs.asdict(selection).items() if value}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in told.items()}
