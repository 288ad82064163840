"""A projection's step: a batch of events taken into its table, and the checkpoint moved, in one transaction.

So each event counts exactly once, whatever is killed. Events come in the order of the log, (txid, position), below the
snapshot horizon: none is passed over because it was committed late (docs/decisions/0003 and 0019).
"""

from collections.abc import Sequence
from datetime import datetime
from types import GenericAlias
from typing import Any

import msgspec
from django.db import DataError, IntegrityError, connection, transaction
from django.utils import timezone

from eventhub.events.queries import StoredEvent, whole_events
from eventhub.schemas.upcasting.code import upcast
from eventhub.sourcing.models import Checkpoint, ProjectionState
from eventhub.sourcing.projecting.columns import columns
from eventhub.sourcing.projecting.declaring import Declared

BATCH = 5_000
LAST = 2**62
# While nothing comes, the checkpoint is moved only every so many transactions: moving it is one itself.
IDLE_TRANSACTIONS = 1_000
NEXT = "__next"


class Poison(Exception):
    """The projection's code cannot take an event in."""

    def __init__(self, index: int, error: Exception) -> None:
        self.index = index
        self.error = error
        super().__init__(str(error))


class Step(msgspec.Struct, frozen=True):
    """What a step did."""

    events: int = 0
    # Whether there may be more to read right now.
    is_more: bool = False
    # The horizon that it read up to; 0 where it did not run (paused, or in another worker's hands).
    horizon: int = 0


def step(declared: Declared, checkpoint_id: int, limit: int = BATCH) -> Step:
    """Take the next events of one partition in. Raises django.db.Error when the database is out of reach."""
    with transaction.atomic():
        horizon = _horizon()  # before this transaction has a number of its own
        checkpoint = (
            Checkpoint.objects.select_for_update(skip_locked=True)
            .filter(pk=checkpoint_id, state=ProjectionState.RUNNING)
            .first()
        )
        if checkpoint is None:
            return Step()
        return _advance(declared, checkpoint, horizon, limit)


def advance_locked(declared: Declared, checkpoint: Checkpoint, limit: int = BATCH) -> Step:
    """As `step`, for a checkpoint that the caller's transaction has locked."""
    return _advance(declared, checkpoint, _horizon(), limit)


def table_of(declared: Declared, *, is_next: bool) -> str:
    """The live table, or the one that is being rebuilt beside it."""
    return declared.table + (NEXT if is_next else "")


def apply_now(declared: Declared, events: Sequence[StoredEvent]) -> tuple[int, Exception | None]:
    """Take `events` into the live table beside its own reading, in the caller's transaction: for replays.

    How many were taken in, and the error of the one after them.
    """
    return _apply(declared, declared.table, events)


def _horizon() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _advance(declared: Declared, checkpoint: Checkpoint, horizon: int, limit: int) -> Step:
    partitions = Checkpoint.objects.filter(
        projection_id=checkpoint.projection_id, is_next=checkpoint.is_next
    ).count()
    found = _read(declared, checkpoint, partitions, horizon, limit)
    wanted = {name for name in {event.event_type for event in found} if declared.wants(name)}
    events = [upcast(event) for event in found if event.event_type in wanted]
    done, error = _apply(declared, table_of(declared, is_next=checkpoint.is_next), events)
    if error is not None:
        _stop_at(checkpoint, events[done], error)
        reached = events[done - 1].key if done else None
    else:
        reached = found[-1].key if found else None
    is_more = error is None and len(found) == limit
    before = checkpoint.txid
    if error is None and not is_more:
        checkpoint.txid, checkpoint.position = max(checkpoint.txid, horizon - 1), LAST
    elif reached is not None:
        checkpoint.txid, checkpoint.position = reached.txid, reached.position
    if done or error is not None or found or checkpoint.txid - before > IDLE_TRANSACTIONS:
        checkpoint.events += done
        checkpoint.moved_at = timezone.now()
        checkpoint.save()
    return Step(done, is_more, horizon)


def _read(
    declared: Declared, checkpoint: Checkpoint, partitions: int, horizon: int, limit: int
) -> list[StoredEvent]:
    own, values = "", list[Any]()
    if partitions > 1:
        own = f"AND abs(hashtext(coalesce({declared.partition_by}, ''))::bigint) %% %s = %s"
        values = [partitions, checkpoint.partition]
    # Index events_event_log (txid, position), forwards.
    return whole_events(
        f"""WHERE (txid, position) > (%s::xid8, %s) AND txid < %s::xid8 AND event_type LIKE ANY(%s) {own}
            ORDER BY events_event.txid, position LIMIT %s""",
        [str(checkpoint.txid), checkpoint.position, str(horizon), declared.like(), *values, limit],
    )


def _apply(declared: Declared, table: str, events: Sequence[StoredEvent]) -> tuple[int, Exception | None]:
    """Take `events` in, up to the first that cannot be: how many were, and its error."""
    if not events:
        return 0, None
    try:
        with transaction.atomic():
            _fold(declared, table, events)
    except Poison as poison:
        done, error = _apply(declared, table, events[: poison.index])
        return (done, error) if error is not None else (done, poison.error)
    except (DataError, IntegrityError) as refused:
        # PostgreSQL refuses a row, and does not say of which event: it is found by halving.
        if len(events) == 1:
            return 0, refused
        middle = len(events) // 2
        done, error = _apply(declared, table, events[:middle])
        if error is not None:
            return done, error
        more, error = _apply(declared, table, events[middle:])
        return done + more, error
    return len(events), None


def _fold(declared: Declared, table: str, events: Sequence[StoredEvent]) -> None:
    follower = declared.follower
    keys: list[str | None] = []
    for index, event in enumerate(events):
        try:
            keys.append(follower.key(event))
        except Exception as error:  # foreign code, whatever it does
            raise Poison(index, error) from error
    touched = list(dict.fromkeys(key for key in keys if key is not None))
    rows = _rows(declared, table, touched)
    there = set(rows)
    for index, (key, event) in enumerate(zip(keys, events, strict=True)):
        if key is None:
            continue
        try:
            row = follower.fold(rows.get(key), event)
            if row is not None and not isinstance(row, declared.row):
                raise TypeError(
                    f"fold() returned {type(row).__name__} instead of {declared.row.__name__} or None"
                )
        except Exception as error:
            raise Poison(index, error) from error
        if row is None:
            rows.pop(key, None)
        else:
            rows[key] = row
    _write(declared, table, rows, there - set(rows))


def _rows(declared: Declared, table: str, keys: list[str]) -> dict[str, Any]:
    first = declared.row.__struct_fields__[0]
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT coalesce(json_agg(t), \'[]\')::text FROM "{table}" t WHERE "{first}" = ANY(%s)', [keys]
        )
        row = cursor.fetchone()
    text = row[0] if row else "[]"
    found: list[Any] = msgspec.json.decode(text, type=GenericAlias(list, (declared.row,)))
    return {getattr(one, first): one for one in found}


def _write(declared: Declared, table: str, rows: dict[str, Any], gone: set[str]) -> None:
    there = columns(declared.row)
    first, *others = there
    names = ", ".join(f'"{name}"' for name in there)
    typed = ", ".join(f'"{name}" {kind}' for name, kind in there.items())
    # A key of its own in each row: what a fold wrote there itself must not lead it to another row.
    for key, row in rows.items():
        if getattr(row, first) != key:
            setattr(row, first, key)
    changed = ", ".join(f'"{name}" = EXCLUDED."{name}"' for name in others)
    with connection.cursor() as cursor:
        if rows:
            cursor.execute(
                f'INSERT INTO "{table}" ({names}) SELECT {names} FROM json_to_recordset(%s::json) AS r ({typed})'
                f' ON CONFLICT ("{first}") DO {f"UPDATE SET {changed}" if changed else "NOTHING"}',
                [msgspec.json.encode(list(rows.values())).decode()],
            )
        if gone:
            cursor.execute(f'DELETE FROM "{table}" WHERE "{first}" = ANY(%s)', [list(gone)])


def _stop_at(checkpoint: Checkpoint, event: StoredEvent, error: Exception) -> None:
    checkpoint.state = ProjectionState.POISONED
    checkpoint.poison_event_id = event.event_id
    checkpoint.poison_event_type = event.event_type
    checkpoint.poison_txid, checkpoint.poison_position = event.txid, event.position
    checkpoint.poison_error = f"{type(error).__name__}: {error}"[:2_000]


def age_s(since: datetime | None) -> float:
    """Seconds since then; 0 for None."""
    return max(0.0, (timezone.now() - since).total_seconds()) if since else 0.0
