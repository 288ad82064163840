"""How each projection stands: how far it is behind, in events and in seconds, and what it is stopped at."""

from datetime import datetime

import msgspec
from django.db import connection

from eventhub.sourcing.models import Checkpoint, Projection, ProjectionState
from eventhub.sourcing.projecting import declaring, following
from eventhub.sourcing.projecting.declaring import Declared

# No more are counted.
COUNTED = 10_000


class Lag(msgspec.Struct, frozen=True):
    """What one partition has not taken in yet, what is not settled included; counted up to 10,000."""

    partition: int
    is_next: bool
    state: str
    events: int
    behind: int
    oldest_age_s: float
    poison_event_id: str
    poison_event_type: str
    poison_error: str
    moved_at: datetime | None


class Standing(msgspec.Struct, frozen=True):
    """A projection as it stands now."""

    name: str
    description: str
    patterns: tuple[str, ...]
    table: str
    version: int
    live_version: int
    rows: int
    partitions: list[Lag]
    rebuild: list[Lag]
    swapped_at: datetime | None

    @property
    def state(self) -> str:
        """The worst of its partitions' states: stopped at an event, paused, running."""
        states = {one.state for one in self.partitions + self.rebuild}
        for state in (ProjectionState.POISONED, ProjectionState.PAUSED):
            if state in states:
                return state.value
        return ProjectionState.RUNNING.value

    @property
    def level(self) -> str:
        """The colour of the state."""
        return {"poisoned": "broken", "paused": "unknown"}.get(
            self.state, "ok" if self.behind < COUNTED else "busy"
        )

    @property
    def behind(self) -> int:
        """Events that the live copy has not taken in."""
        return sum(one.behind for one in self.partitions)

    @property
    def oldest_age_s(self) -> float:
        """How long the oldest of them has waited."""
        return max((one.oldest_age_s for one in self.partitions), default=0.0)

    @property
    def events(self) -> int:
        """Events that the live copy has taken in."""
        return sum(one.events for one in self.partitions)

    @property
    def stopped(self) -> list[Lag]:
        """Partitions that are stopped at an event."""
        return [one for one in self.partitions + self.rebuild if one.state == ProjectionState.POISONED]


def standings() -> list[Standing]:
    """All declared projections that have run, by name."""
    rows = {row.name: row for row in Projection.objects.prefetch_related("checkpoints")}
    return [_standing(one, rows[name]) for name, one in sorted(declaring.declared().items()) if name in rows]


def standing(name: str) -> Standing | None:
    """One of them."""
    return next((one for one in standings() if one.name == name), None)


def _standing(declared: Declared, row: Projection) -> Standing:
    checkpoints = list(row.checkpoints.all())
    lags = [_lag(declared, one, sum(o.is_next == one.is_next for o in checkpoints)) for one in checkpoints]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = to_regclass(%s)",
            [declared.table],
        )
        found = cursor.fetchone()
    return Standing(
        declared.name,
        declared.description,
        declared.patterns,
        declared.table,
        declared.version,
        row.code_version,
        int(found[0]) if found else 0,
        [one for one in lags if not one.is_next],
        [one for one in lags if one.is_next],
        row.swapped_at,
    )


def _lag(declared: Declared, checkpoint: Checkpoint, partitions: int) -> Lag:
    with connection.cursor() as cursor:
        # Index events_event_log, forwards from the checkpoint.
        cursor.execute(
            f"""SELECT count(*), min(recorded_at) FROM (
                    SELECT recorded_at FROM events_event
                    WHERE (txid, position) > (%s::xid8, %s) AND event_type LIKE ANY(%s)
                      AND (%s = 1 OR abs(hashtext(coalesce({declared.partition_by}, ''))::bigint) %% %s = %s)
                    ORDER BY txid, position LIMIT %s) AS waiting""",
            [
                str(checkpoint.txid),
                checkpoint.position,
                declared.like(),
                partitions,
                partitions,
                checkpoint.partition,
                COUNTED,
            ],
        )
        row = cursor.fetchone()
    behind, oldest = (row[0], row[1]) if row else (0, None)
    return Lag(
        checkpoint.partition,
        checkpoint.is_next,
        checkpoint.state,
        checkpoint.events,
        behind,
        following.age_s(oldest),
        checkpoint.poison_event_id,
        checkpoint.poison_event_type,
        checkpoint.poison_error,
        checkpoint.moved_at,
    )
