"""A sample of a piece's receipts: what services report about the events they handled."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from eventhub.events import receipts
from monitoring.review.piece import Piece

MOST = 4_000


class Report(msgspec.Struct, frozen=True):
    """One attempt of a service at one event."""

    service: str
    event_id: str
    event_type: str
    succeeded: bool
    attempt: int
    at: datetime


def reports(piece: Piece) -> Sequence[Report]:
    """The piece's first receipts, in their order: neighbours, so that attempts at one event are seen together."""
    if "reports" not in piece.memory:
        rows = piece.select(
            f"""SELECT coalesce(data->>'service', source, ''), data->>'event_id', coalesce(data->>'event_type', ''),
                   event_type = %s,
                   CASE WHEN jsonb_typeof(data->'attempt') = 'number'
                       THEN least(greatest((data->'attempt')::numeric, 0), 1e6)::int ELSE 1 END,
                   occurred_at
               FROM events_event WHERE {{piece}} AND event_type = ANY(%s) AND data->>'event_id' IS NOT NULL
               ORDER BY events_event.txid, position LIMIT {MOST}""",  # noqa: S608 - constants
            receipts.SUCCEEDED,
            list(receipts.TYPES),
        )
        piece.memory["reports"] = [Report(*row) for row in rows]
    found: Sequence[Report] = piece.memory["reports"]
    return found
