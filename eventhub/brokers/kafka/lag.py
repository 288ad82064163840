"""What waits in the topics of a source, for its own group and for every other group that reads them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import msgspec
from confluent_kafka import KafkaError

from eventhub.brokers.adapter import BrokerError, Lag
from eventhub.brokers.configs.kafka import KafkaConfig
from eventhub.brokers.kafka.client import explain
from eventhub.brokers.kafka.cluster import Cluster
from eventhub.brokers.kafka.messages import Partition
from eventhub.brokers.kafka.spans import Span, first_times
from eventhub.brokers.kafka.starting import milliseconds

NOTHING_WAITS = timedelta(0)
# Of a message that is there, whatever two clocks say.
SHORTEST_WAIT = timedelta(milliseconds=1)
# So little may be nothing but marks.
FEW = 100
OFFSETS_TOPIC = "__consumer_offsets"
# The age of a message is known by reading it: of so many partitions at most, and for so long.
MOST_AGES = 32
AGES_TIMEOUT_S = 0.7


def lags(cluster: Cluster, config: KafkaConfig, source: str, group: str) -> list[Lag]:
    """The lag of each group in each partition; the source's own group is told even before it read anything.

    What nobody could tell (a partition without a leader, a group this user may not see) is None; so is how long the
    oldest message has waited, but for the own group, where it can be told quickly. Raises BrokerError, also when none
    of the topics is there.
    """
    topics = cluster.topics_of_the_source()
    if topics.problems and not topics.partitions:
        raise BrokerError(" ".join(topics.problems.values()))
    places = topics.places
    if not places:
        return []
    ends, beginnings = cluster.ends(places), cluster.beginnings(places)
    others = [name for name in cluster.groups() if name != group]
    committed, unknown = cluster.committed([group, *others], places)
    if refusal := unknown.get(group):
        if refusal.code() == KafkaError.GROUP_AUTHORIZATION_FAILED:
            raise BrokerError(explain(refusal, config.bootstrap_servers, group=group))
        own: Mapping[Partition, int] = {}
    else:
        own = _from_where(cluster, config, beginnings, ends, committed.pop(group, {}))
    waits = partial(_lag, beginnings=beginnings, ends=ends)
    spans = [
        Span(*place, max(own[place], beginnings.get(place, 0)), end)
        for place, end in ends.items()
        if place in own
    ]
    ages = _ages(config, source, group, spans)
    found = [waits(group, place, own.get(place), age=ages.get(place)) for place in places]
    for name, offsets in sorted(committed.items()):
        found += [waits(name, place, offset) for place, offset in sorted(offsets.items())]
    return found


def _lag(
    group: str,
    place: Partition,
    at: int | None,
    *,
    beginnings: Mapping[Partition, int],
    ends: Mapping[Partition, int],
    age: timedelta | None = None,
    members: tuple[str, ...] = (),
) -> Lag:
    messages, why = None, ""
    if at is None:
        why = "The group has not committed anything here yet."
    elif place not in ends:
        why = "The partition has no leader that tells where it ends."
    elif age == NOTHING_WAITS:
        messages = 0
    else:
        # Messages that it did not read may be gone; and a group can be set beyond the end.
        messages = max(0, ends[place] - max(at, beginnings.get(place, 0)))
    return Lag(
        topic=place[0],
        partition=place[1],
        group=group,
        messages=messages,
        oldest_age=NOTHING_WAITS if messages == 0 else age,
        position="" if at is None else str(at),
        end=str(ends.get(place, "")),
        members=members,
        why_unknown=why,
    )


def everything(cluster: Cluster, config: KafkaConfig, source: str, group: str) -> list[Lag]:
    """The lag of every group of the cluster in each partition that it committed or holds. Raises BrokerError.

    Five questions, whatever there is: the groups, their members, their offsets, and where the partitions begin and end.
    """
    groups = cluster.groups()
    committed, unknown = cluster.committed(groups, None)
    holders: dict[str, dict[Partition, str]] = {
        name: {place: member.name for member in members for place in member.places}
        for name, members in cluster.members(groups).items()
    }
    read_by = {name: {*committed.get(name, {}), *holders.get(name, {})} for name in groups}
    places = sorted({place for read in read_by.values() for place in read if place[0] != OFFSETS_TOPIC})
    ends, beginnings = cluster.ends(places), cluster.beginnings(places)
    found = [
        _lag(
            name,
            place,
            committed.get(name, {}).get(place),
            beginnings=beginnings,
            ends=ends,
            members=(holders[name][place],) if place in holders.get(name, {}) else (),
        )
        for name in groups
        for place in sorted(read_by[name])
        if place[0] != OFFSETS_TOPIC
    ]
    refused = [
        Lag("", name, None, why_unknown=explain(error, config.bootstrap_servers, group=name))
        for name, error in unknown.items()
    ]
    return _without_marks(config, source, group, found, beginnings, ends) + refused


def _without_marks(
    config: KafkaConfig,
    source: str,
    group: str,
    lags: Sequence[Lag],
    beginnings: Mapping[Partition, int],
    ends: Mapping[Partition, int],
) -> list[Lag]:
    """What only seems to wait is taken for nothing: marks of transactions, and what compaction took away.

    That is known by reading on from where the group stands, so it is looked for where very little seems to wait.
    """
    few = {
        (lag.topic, lag.partition, lag.position): Span(
            lag.topic,
            lag.partition,
            max(int(lag.position), beginnings.get((lag.topic, lag.partition), 0)),
            ends[lag.topic, lag.partition],
        )
        for lag in lags
        if lag.partition is not None and lag.messages and lag.messages <= FEW
    }
    # A partition can be read from one offset at a time; the furthest is the one that can be at the end.
    spans: dict[Partition, Span] = {}
    for span in sorted(few.values(), key=lambda span: span.first):
        spans[span.topic, span.partition] = span
    times = _first_times(config, source, group, list(spans.values())[:MOST_AGES])
    empty = {place for place, time in times.items() if time is None}

    def is_empty(lag: Lag) -> bool:
        place = (lag.topic, lag.partition or 0)
        return (
            place in empty
            and lag.position != ""
            and lag.messages is not None
            and int(lag.position) >= spans[place].first
        )

    return [
        msgspec.structs.replace(lag, messages=0, oldest_age=NOTHING_WAITS) if is_empty(lag) else lag
        for lag in lags
    ]


def _ages(config: KafkaConfig, source: str, group: str, spans: Sequence[Span]) -> dict[Partition, timedelta]:
    """How long the first message of each span has waited, for those in which most wait; 0 where none is there."""
    longest = sorted((span for span in spans if span.length), key=lambda span: -span.length)[:MOST_AGES]
    now = datetime.now(UTC)
    return {
        place: NOTHING_WAITS if time is None else max(SHORTEST_WAIT, now - time)
        for place, time in _first_times(config, source, group, longest).items()
    }


def _first_times(
    config: KafkaConfig, source: str, group: str, spans: Sequence[Span]
) -> Mapping[Partition, datetime | None]:
    if not spans:
        return {}
    try:
        return first_times(config, source, group, spans, AGES_TIMEOUT_S)
    except BrokerError:
        return {}


def _from_where(
    cluster: Cluster,
    config: KafkaConfig,
    beginnings: Mapping[Partition, int],
    ends: Mapping[Partition, int],
    committed: Mapping[Partition, int],
) -> Mapping[Partition, int]:
    """Where the own group reads on, and where it would begin in partitions that it has no position in."""
    if config.start == "earliest" or (config.start == "latest" and committed):
        begin = beginnings
    elif config.start == "latest":
        begin = ends
    else:
        new = [place for place in beginnings if place not in committed]
        at = cluster.at(new, milliseconds(config.start))
        begin = {place: offset if offset >= 0 else ends.get(place, 0) for place, offset in at.items()}
    return {**begin, **committed}
