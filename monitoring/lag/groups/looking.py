"""From what brokers say at one moment, and what was seen before, to how each consumer group and queue stands."""

from collections.abc import Iterable, Sequence

import msgspec

from eventhub.brokers.adapter import Lag
from monitoring.lag.groups import behind, rules
from monitoring.lag.groups.behind import End, seconds_behind
from monitoring.lag.groups.forecast import LONGEST_S, growth_per_s
from monitoring.lag.groups.rules import Commit, Depth, Status, judge, judge_queue, worst

# What a group waits for is kept this often for its trend.
MOST_TREND = 150


class Memory(msgspec.Struct):
    """What was seen of one broker before; forgetting it costs a minute in which nothing can be judged."""

    # By group, topic and partition.
    commits: dict[str, list[Commit]] = {}
    depths: dict[str, list[Depth]] = {}
    # By topic and partition.
    ends: dict[str, list[End]] = {}
    # By group: when, and how many messages waited.
    trends: dict[str, list[tuple[float, int]]] = {}


class PartNow(msgspec.Struct, frozen=True):
    """A group in one partition, stream or queue."""

    topic: str
    partition: int | None
    status: str
    messages: int | None
    seconds: float | None
    position: str
    end: str
    member: str
    why: str


class GroupNow(msgspec.Struct, frozen=True):
    """A group or queue. None: nobody could tell."""

    name: str
    status: Status
    messages: int | None
    seconds: float | None
    pending: int | None
    delayed: int | None
    consumers: int | None
    in_per_s: float | None
    out_per_s: float | None
    growth_per_s: float | None
    capacity: int | None
    parts: Sequence[PartNow]


def look(before: Memory, lags: Iterable[Lag], now_s: float) -> tuple[Memory, list[GroupNow]]:
    """How every group stands at `now_s` (Unix seconds), and what to remember of it. Changes nothing."""
    after = Memory()
    by_group: dict[str, list[tuple[Lag, PartNow]]] = {}
    for lag in lags:
        by_group.setdefault(lag.group or lag.topic, []).append((lag, _part(before, after, lag, now_s)))
    return after, [_group(before, after, name, told, now_s) for name, told in sorted(by_group.items())]


def _part(before: Memory, after: Memory, lag: Lag, now_s: float) -> PartNow:
    if lag.partition is not None and lag.end.isdigit():
        status, seconds = _partition(before, after, lag, now_s)
    else:
        status, seconds = _queue(before, after, lag, now_s)
    if lag.oldest_age is not None:
        seconds = lag.oldest_age.total_seconds()
    return PartNow(
        topic=lag.topic,
        partition=lag.partition,
        status=status,
        messages=lag.messages,
        seconds=seconds,
        position=lag.position,
        end=lag.end,
        member=", ".join(lag.members),
        why=lag.why_unknown,
    )


def _partition(before: Memory, after: Memory, lag: Lag, now_s: float) -> tuple[Status, float | None]:
    place = _key(lag.topic, lag.partition)
    if place not in after.ends:
        after.ends[place] = behind.note(before.ends.get(place, []), End(now_s, int(lag.end)))
    key = _key(lag.group, lag.topic, lag.partition)
    window = before.commits.get(key, [])
    if not lag.position.isdigit():
        return judge(window, lag.messages, now_s), None
    if lag.messages is not None:
        commit = Commit(int(lag.position), now_s, lag.messages)
        window = rules.note(window, commit, is_alive=bool(lag.members))
        after.commits[key] = window
    seconds = seconds_behind(after.ends[place], int(lag.position), lag.messages, now_s)
    return judge(window, lag.messages, now_s), seconds


def _queue(before: Memory, after: Memory, lag: Lag, now_s: float) -> tuple[Status, float | None]:
    key = _key(lag.group, lag.topic, lag.partition)
    window = before.depths.get(key, [])
    if lag.messages is not None:
        window = [*window, Depth(lag.messages, now_s, _has_readers(lag))][-rules.WINDOW :]
        after.depths[key] = window
    return judge_queue(window, lag.messages), 0.0 if lag.messages == 0 else None


def _has_readers(lag: Lag) -> bool | None:
    if lag.members or lag.pending:
        return True
    if lag.consumers is not None:
        return lag.consumers > 0
    # Where a broker knows no consumers, what is in hand tells of them.
    return None if lag.pending is None else False


def _group(
    before: Memory, after: Memory, name: str, told: Sequence[tuple[Lag, PartNow]], now_s: float
) -> GroupNow:
    messages = _sum(lag.messages for lag, _ in told)
    trend = before.trends.get(name, [])
    if messages is not None:
        trend = [point for point in trend if point[0] > now_s - LONGEST_S][-MOST_TREND:]
        trend = after.trends[name] = [*trend, (now_s, messages)]
    seconds = [part.seconds for _, part in told if part.seconds is not None]
    # Of the parts nothing is known of the others tell, unless there are no others.
    known = [Status(part.status) for _, part in told if part.status != Status.UNKNOWN]
    return GroupNow(
        name=name,
        status=worst(known),
        messages=messages,
        seconds=max(seconds) if seconds and (messages == 0 or any(seconds)) else None,
        pending=_sum(lag.pending for lag, _ in told),
        delayed=_sum(lag.delayed for lag, _ in told),
        consumers=_readers([lag for lag, _ in told]),
        in_per_s=_total(lag.in_per_s for lag, _ in told),
        out_per_s=_total(lag.out_per_s for lag, _ in told),
        growth_per_s=growth_per_s(trend),
        capacity=_sum(lag.capacity for lag, _ in told),
        parts=[part for _, part in told],
    )


def _readers(lags: Sequence[Lag]) -> int | None:
    counted = _sum(lag.consumers for lag in lags)
    if counted is not None:
        return counted
    if all(lag.partition is not None for lag in lags):  # of Kafka, which names the members
        return len({member for lag in lags for member in lag.members})
    return None


def _sum(values: Iterable[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _total(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def _key(*parts: object) -> str:
    return "\0".join(map(str, parts))


def topics_of(group: GroupNow) -> list[str]:
    """What it reads, by name."""
    return sorted({part.topic for part in group.parts if part.topic})
