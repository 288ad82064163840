"""The shapes of payloads, from a sample of each piece: which fields events have, of what kind, how much they say."""

from collections.abc import Sequence

import msgspec

from monitoring.review.piece import Piece

# The most events of a piece that are looked into, and the most fields of them that are told apart.
MOST_EVENTS = 1_000
MOST_FIELDS = 4_000


class FieldSeen(msgspec.Struct, frozen=True):
    """A field of the data of some events of a type and version: how many had it, as what kind of value."""

    service: str
    event_type: str
    version: str
    name: str
    # string, number, boolean, object, array; null: the field is there and tells nothing.
    kind: str
    n: int
    sample: str


class Sampled(msgspec.Struct, frozen=True):
    """So many events of a type and version were looked into."""

    service: str
    event_type: str
    version: str
    n: int
    sample: str


class Bulk(msgspec.Struct, frozen=True):
    """How much the events of a type say: summed over `n` of them."""

    service: str
    event_type: str
    n: int
    size_bytes: int
    leaves: int
    sample: str


# The piece's first: the next piece begins elsewhere, so that no type is left out for where it stands.
_SAMPLE = f"""SELECT coalesce(source, '') AS service, event_type, coalesce(event_version, '') AS version, event_id, data
    FROM events_event WHERE {{piece}} AND event_type NOT LIKE 'eventhub.%%' AND jsonb_typeof(data) = 'object'
    ORDER BY events_event.txid, position LIMIT {MOST_EVENTS}"""  # noqa: S608 - constants


def fields(piece: Piece) -> Sequence[FieldSeen]:
    """The fields on the first level of the sampled events, one for each kind of value."""
    rows = piece.select(
        f"""SELECT service, event_type, version, field.key, jsonb_typeof(field.value), count(*),
               max(event_id COLLATE "C")
            FROM ({_SAMPLE}) AS sampled, jsonb_each(data) AS field
            GROUP BY 1, 2, 3, 4, 5 ORDER BY 6 DESC LIMIT {MOST_FIELDS}"""  # noqa: S608 - constants
    )
    return [FieldSeen(*row) for row in rows]


def sampled(piece: Piece) -> Sequence[Sampled]:
    """How many events of each type and version are in the sample."""
    rows = piece.select(
        f"""SELECT service, event_type, version, count(*), max(event_id COLLATE "C")
            FROM ({_SAMPLE}) AS sampled GROUP BY 1, 2, 3"""  # noqa: S608 - constants
    )
    return [Sampled(*row) for row in rows]


def bulks(piece: Piece, event_types: Sequence[str]) -> Sequence[Bulk]:
    """How much sampled events of these types say."""
    rows = piece.select(
        f"""SELECT service, event_type, count(*), sum(octet_length(data::text))::bigint,
               sum((SELECT count(*) FROM jsonb_path_query(data, '$.**') AS part
                    WHERE jsonb_typeof(part) NOT IN ('object', 'array')))::bigint,
               max(event_id COLLATE "C")
            FROM ({_SAMPLE}) AS sampled WHERE event_type = ANY(%s)
            GROUP BY 1, 2""",  # noqa: S608 - constants
        list(event_types),
    )
    return [Bulk(*row) for row in rows]
