"""A sample of a piece's receipts: what services report about the events they handled."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from eventhub.events import receipts
from monitoring.review.piece import Piece

MOST = 20_000


class Report(msgspec.Struct, frozen=True):
    """One attempt of a service at one event."""

    service: str
    event_id: str
    event_type: str
    succeeded: bool
    attempt: int
    at: datetime


def reports(piece: Piece) -> Sequence[Report]:
    """The receipts of some of the piece's events: all of an event or none, so that repetitions are seen."""
    if "reports" not in piece.memory:
        kinds = list(receipts.TYPES)
        n = sum(one.n for one in piece.all_traffic if one.event_type in receipts.TYPES)
        share = 1
        while n > MOST * share:
            share *= 2
        rows = (
            piece.select(
                f"""SELECT coalesce(data->>'service', source, ''), data->>'event_id',
                       coalesce(data->>'event_type', ''), event_type = %s,
                       CASE WHEN jsonb_typeof(data->'attempt') = 'number'
                           THEN least(greatest((data->'attempt')::numeric, 0), 1e6)::int ELSE 1 END,
                       occurred_at
                   FROM events_event WHERE {{piece}} AND event_type = ANY(%s) AND data->>'event_id' IS NOT NULL
                       AND (hashtext(data->>'event_id') & {share - 1}) = 0
                   ORDER BY events_event.txid, position LIMIT {2 * MOST}""",  # noqa: S608 - constants
                receipts.SUCCEEDED,
                kinds,
            )
            if n
            else []
        )
        piece.memory["reports"] = [Report(*row) for row in rows]
    found: Sequence[Report] = piece.memory["reports"]
    return found
