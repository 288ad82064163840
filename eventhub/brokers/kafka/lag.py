"""What waits in the topics of a source, for its own group and for every other group that reads them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

from confluent_kafka import KafkaError

from eventhub.brokers.adapter import BrokerError, Lag
from eventhub.brokers.configs.kafka import KafkaConfig
from eventhub.brokers.kafka.client import explain
from eventhub.brokers.kafka.cluster import Cluster
from eventhub.brokers.kafka.messages import Partition
from eventhub.brokers.kafka.spans import Span, first_times
from eventhub.brokers.kafka.starting import milliseconds

NOTHING_WAITS = timedelta(0)
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
) -> Lag:
    messages = None
    if at is not None and place in ends:
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
    )


def _ages(config: KafkaConfig, source: str, group: str, spans: Sequence[Span]) -> dict[Partition, timedelta]:
    """How long the first message of each span has waited, for those in which most wait."""
    longest = sorted((span for span in spans if span.length), key=lambda span: -span.length)[:MOST_AGES]
    if not longest:
        return {}
    try:
        times = first_times(config, source, group, longest, AGES_TIMEOUT_S)
    except BrokerError:
        return {}
    now = datetime.now(UTC)
    return {place: max(NOTHING_WAITS, now - time) for place, time in times.items()}


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
