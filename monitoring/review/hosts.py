"""Which host an event came from, where it says so.

There is no one name for it. Read are, in this order: OpenTelemetry's resource attribute ``host.name`` (and what names a
pod or a container), ``host`` or ``hostname`` in the metadata or among CloudEvents' extensions, and what NServiceBus,
MassTransit and Celery put into the headers of each message.
"""

from collections.abc import Sequence

import msgspec

from monitoring.review.piece import Piece

# Places in `metadata` (an object), then in `headers` (an object where no name came twice).
IN_METADATA = (
    "{resource,host.name}", "{resource,attributes,host.name}", "{host.name}", "{k8s.pod.name}", "{container.id}",
    "{hostname}", "{host}",
)  # fmt: skip
IN_HEADERS = (
    "{host.name}", "{k8s.pod.name}", "{x-host-name}", "{hostname}", "{NServiceBus.OriginatingMachine}",
    "{MT-Host-MachineName}",
)  # fmt: skip
# Celery names a process: gen4711@worker-3.
CELERY = "CASE WHEN headers->>'origin' LIKE 'gen%%@%%' THEN split_part(headers->>'origin', '@', 2) END"
# The host as text; empty where nothing names it.
HOST = f"""left(coalesce({", ".join(f"metadata#>>'{path}'" for path in IN_METADATA)},
    {", ".join(f"headers#>>'{path}'" for path in IN_HEADERS)}, {CELERY}, ''), 100)"""
# The most events of a piece whose hosts are looked at, and the most hosts that are told apart.
MOST_EVENTS = 4_000
MOST_HOSTS = 200


class HostSeen(msgspec.Struct, frozen=True):
    """The sampled events of a service from one host: how many, and how many were ahead of the hub's clock."""

    service: str
    host: str
    n: int
    future: int
    sample: str | None


def ahead_by_host(piece: Piece, services: Sequence[str], future: str) -> Sequence[HostSeen]:
    """The hosts of the piece's first events of these services, each with how many lie `future` ahead."""
    ahead = f"occurred_at > recorded_at + interval '{future}'"
    rows = piece.select(
        f"""SELECT service, host, count(*), count(*) FILTER (WHERE ahead),
               max(event_id COLLATE "C") FILTER (WHERE ahead)
            FROM (
                SELECT coalesce(source, '') AS service, {HOST} AS host, {ahead} AS ahead, event_id
                FROM events_event WHERE {{piece}} AND event_type NOT LIKE 'eventhub.%%'
                    AND coalesce(source, '') = ANY(%s)
                ORDER BY events_event.txid, position LIMIT {MOST_EVENTS}
            ) AS first GROUP BY 1, 2 ORDER BY 3 DESC LIMIT {MOST_HOSTS}""",  # noqa: S608 - constants
        list(services),
    )
    return [HostSeen(*row) for row in rows]
