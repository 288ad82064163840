"""A sample of a piece's events with the events that caused them, looked up once for all rules that ask."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import msgspec

from monitoring.review.hosts import HOST
from monitoring.review.piece import Piece, select

# The most effects of a piece whose causes are looked up: its first, so that neighbours are seen together.
MOST = 1_000
# events_event_once, a probe an effect, in the partitions of the days around it.
_LOOK_UP = """LEFT JOIN LATERAL (
    SELECT event_id, correlation_id, occurred_at, source FROM events_event
    WHERE event_id = effect.causation_id AND occurred_at >= effect.occurred_at - interval '2 days'
        AND occurred_at <= effect.occurred_at + interval '1 hour' LIMIT 1
) AS about ON true"""


class Caused(msgspec.Struct, frozen=True):
    """An event that names a cause, and the cause where it is in the store."""

    event_id: str
    event_type: str
    service: str
    correlation_id: str | None
    occurred_at: datetime
    # Where it came from; empty where it does not say.
    host: str
    cause: str | None
    cause_correlation_id: str | None
    cause_at: datetime | None
    cause_service: str | None


def causes(piece: Piece) -> Sequence[Caused]:
    """The first events of the piece that name a cause, with it."""
    if "causes" not in piece.memory:
        rows = piece.select(
            f"""SELECT effect.event_id, effect.event_type, effect.source, effect.correlation_id, effect.occurred_at,
                   effect.host, about.event_id, about.correlation_id, about.occurred_at, about.source
               FROM (
                   SELECT event_id, event_type, coalesce(source, '') AS source, causation_id, correlation_id,
                       occurred_at, {HOST} AS host
                   FROM events_event
                   WHERE {{piece}} AND causation_id IS NOT NULL AND event_type NOT LIKE 'eventhub.%%'
                   ORDER BY events_event.txid, position LIMIT {MOST}
               ) AS effect {_LOOK_UP}"""  # noqa: S608 - constants
        )
        piece.memory["causes"] = [Caused(*row) for row in rows]
    found: Sequence[Caused] = piece.memory["causes"]
    return found


def with_unknown_cause(event_ids: Iterable[str]) -> list[str]:
    """Which of these events name a cause that is not there, now."""
    rows = select(
        f"""SELECT effect.event_id FROM events_event effect {_LOOK_UP}
            WHERE effect.event_id = ANY(%s) AND about.event_id IS NULL""",  # noqa: S608 - a constant
        list(event_ids),
    )
    return [row[0] for row in rows]
