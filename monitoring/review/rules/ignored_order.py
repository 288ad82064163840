"""Order that is not kept: gaps and swaps in streams, entities over several partitions, late events and consumers."""

from collections.abc import Iterable

from monitoring.review.facts import Counted, Fact, Facts
from monitoring.review.models import Severity
from monitoring.review.piece import Piece, select
from monitoring.review.receipts import reports
from monitoring.review.rule import Rule, Verdict, events
from monitoring.review.streams import counted_by, followed

GAP, SWAP = "order.gap", "order.swap"
KEYED, SPLIT = "order.keyed", "order.split"
ARRIVED, LATE = "order.arrived", "order.late"
HANDLED, CONFUSED = "order.handled", "order.handled_wrong"
# An event whose time is so far behind what its topic had reached is late.
LATE_S = 1.0
# The most events of a piece whose arrival, and whose handling, is compared with their neighbours'.
MOST_NEIGHBOURS = 4_000
MOST_HANDLED = 500
LEAST = 3
LEAST_LATE = 0.003
LEAST_SHARE = 0.001


class IgnoredOrder(Rule):
    """Follows a sample of streams by their versions, and the events of a piece by their times."""

    key = "ignored-order"
    title = "Ignored order"
    severity = Severity.BROKEN

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """Gaps, swaps, second partitions, late arrivals, and events handled in the wrong order."""
        yield from _of_streams(piece)
        yield from _arrivals(piece)
        yield from _handling(piece)

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each of them, by service."""
        sent = facts.total("events", "service")
        yield from _found(facts, GAP, sent, "gaps", _GAPS, LEAST_SHARE, None)
        yield from _found(facts, SWAP, sent, "swaps", _SWAPS, LEAST_SHARE, Severity.FLAW)
        yield from _found(facts, SPLIT, facts.total(KEYED, "service"), "partition key", _SPLITS, 0.01, None)
        yield from _found(
            facts, LATE, facts.total(ARRIVED, "service"), "late events", _LATE, LEAST_LATE, Severity.ADVICE
        )
        handled = facts.total(HANDLED, "service")
        yield from _found(facts, CONFUSED, handled, "handling", _CONFUSED, LEAST_SHARE, None)


# What is said of each: title, detail, advice; {who} is the service, {types} its types.
_GAPS = (
    "{who} leaves gaps in its streams",
    "{n} versions never came: the events after them are of {types}.",
    "Number the events of a stream without gaps, in the transaction that writes the state "
    "(stream_version, one more each "
    "time), and publish through an outbox so that none is lost. If another service owns the numbers in "
    "between, tap its "
    "topic, too.",
)
_SWAPS = (
    "{who} publishes versions of one stream in the wrong order",
    "{n} events came after a later version of their stream, on the same topic: {types}.",
    "Publish the events of one stream with its id as the key, from one place at a time, each after the one before was "
    "confirmed. Consumers then keep to stream_version and wait for what is missing.",
)
_SPLITS = (
    "{who} spreads one entity over several partitions",
    "{n} streams came over more than one partition of {detail}; only within a partition is order kept.",
    "Use the stream's id (or the entity's) as the message key, for all types of the entity, and let the default "
    "partitioner choose. When the number of partitions grows, move to a new topic instead.",
)
_LATE = (
    "{who} publishes late: its events come after younger ones",
    "{n} of {of} events arrived more than a second behind what their topic had reached: {types}.",
    "Publish in the transaction's order, through an outbox, not from a retry queue beside it. Consumers that sum up by "
    "time need a grace period of that length.",
)
_CONFUSED = (
    "{who} handles events of one stream in the wrong order",
    "{n} events of {types} were handled after a later version of their stream.",
    "Handle the events of one stream one at a time: one consumer a partition, ordered by key, or a handler with "
    'order_by="stream". Where that costs too much, compare stream_version and leave what is older.',
)


def _found(
    facts: Facts,
    measure: str,
    bases: dict[tuple[str, ...], Fact],
    subject: str,
    words: tuple[str, str, str],
    least_share: float,
    severity: Severity | None,
) -> Iterable[Verdict]:
    title, detail, advice = words
    for key, fact in facts.total(measure, "service").items():
        of = bases[key].n if key in bases else fact.n
        if fact.n < LEAST or fact.n / max(1, of) < least_share:
            continue
        (service,) = key
        types = sorted({one.event_type for one in facts.of(measure) if one.service == service})
        about = {
            "who": service or "An unnamed service",
            "n": fact.n,
            "of": of,
            "types": ", ".join(types[:4]),
            "detail": fact.detail or "a topic",
        }
        yield Verdict(
            service=service,
            subject=subject,
            title=title.format(**about),
            detail=detail.format(**about),
            advice=advice,
            n=fact.n,
            of=of,
            evidence=events(fact.samples, subject),
            first_at=fact.first_at,
            last_at=fact.last_at,
            severity=severity,
        )


def _of_streams(piece: Piece) -> Iterable[Counted]:
    seen = followed(piece)
    for measure, found in ((GAP, counted_by(seen.gaps)), (SWAP, counted_by(seen.swapped))):
        for (service, name), ids in found.items():
            yield Counted(measure, len(ids), service, name, samples=ids[:3])
    for step in seen.keyed:
        yield Counted(KEYED, 1, step.service)
    for step in seen.split:
        yield Counted(SPLIT, 1, step.service, step.event_type, step.topic, [step.event_id])


def _arrivals(piece: Piece) -> Iterable[Counted]:
    """How far each event is behind its topic: of the piece's first, so that all neighbours are there."""
    rows = piece.select(
        f"""SELECT service, event_type, count(*), count(*) FILTER (WHERE behind > interval '{LATE_S} seconds'),
               max(event_id COLLATE "C") FILTER (WHERE behind > interval '{LATE_S} seconds')
            FROM (
                SELECT coalesce(source, '') AS service, event_type, event_id, max(occurred_at) OVER (
                        PARTITION BY source, origin_id, origin_topic, origin_partition ORDER BY txid, position
                        ROWS UNBOUNDED PRECEDING
                    ) - occurred_at AS behind
                FROM (
                    SELECT source, event_type, event_id, occurred_at, origin_id, origin_topic, origin_partition, txid,
                        position
                    FROM events_event WHERE {{piece}} AND event_type NOT LIKE 'eventhub.%%' AND origin_id IS NOT NULL
                    ORDER BY events_event.txid, position LIMIT {MOST_NEIGHBOURS}
                ) AS first
            ) AS compared GROUP BY 1, 2"""  # noqa: S608 - constants
    )
    for service, name, n, late, sample in rows:
        yield Counted(ARRIVED, n, service, name)
        yield Counted(LATE, late, service, name, samples=[sample] if sample else [])


def _handling(piece: Piece) -> Iterable[Counted]:
    done = sorted((one for one in reports(piece) if one.succeeded), key=lambda one: (one.at, one.event_id))[
        :MOST_HANDLED
    ]
    if not done:
        return
    about = {  # events_event_once
        row[0]: row[1:]
        for row in select(
            """SELECT event_id, stream, stream_version FROM events_event
               WHERE event_id = ANY(%s) AND stream IS NOT NULL AND stream_version IS NOT NULL""",
            list({one.event_id for one in done}),
        )
    }
    reached: dict[tuple[str, str], int] = {}
    for one in done:
        if one.event_id not in about:
            continue
        stream, version = about[one.event_id]
        yield Counted(HANDLED, 1, one.service, one.event_type)
        highest = reached.setdefault((one.service, stream), version)
        if version < highest:
            yield Counted(CONFUSED, 1, one.service, one.event_type, samples=[one.event_id])
        reached[one.service, stream] = max(highest, version)
