"""A worker's membership in a consumer group: what it is given to read, how far it is, and giving it up without loss.

Positions are committed only for what was acknowledged, and for partitions that are owned. What was handed out and not
acknowledged is read again by whoever reads next.
"""

import logging
import re
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.configs.kafka import INTERNAL, KafkaConfig
from eventhub.brokers.kafka.client import (
    NO_SUCH_TOPIC,
    Trouble,
    broker_error,
    client_settings,
    error_of,
    explain,
    make,
)
from eventhub.brokers.kafka.messages import Partition, Reading, Taken
from eventhub.brokers.kafka.remade import Remade
from eventhub.brokers.kafka.starting import starts
from eventhub.events.message import Message

log = logging.getLogger(__name__)

# A batch is read in chunks, which begin small and shrink when messages are large: that bounds memory. So does the
# client's own queue, which holds what it fetched in advance.
CHUNK = 1_000
FIRST_CHUNK = 16
CHUNK_BYTES = 4_000_000
BATCH_BYTES = 16_000_000
MEMBERSHIP: dict[str, Any] = {
    # A worker that is gone is missed after nine seconds, and its partitions move to others.
    "session.timeout.ms": 9_000,
    "heartbeat.interval.ms": 2_000,
    # Topics and partitions that are made later are found within this.
    "topic.metadata.refresh.interval.ms": 3_000,
    "queued.max.messages.kbytes": 32_768,
    "fetch.max.bytes": 16_777_216,
    # How soon to fetch again after the queue was full. The default, a second, is far longer than a full queue lasts.
    "fetch.queue.backoff.ms": 5,
    "allow.auto.create.topics": False,
}
# Not for the source's settings to change; configs/kafka.py says why.
PROMISES: dict[str, Any] = {
    "partition.assignment.strategy": "cooperative-sticky",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
    "enable.partition.eof": True,
}
LOOK_FOR_TOPICS_EVERY_S = 3.0
LOOK_TIMEOUT_S = 2.0
# How long brokers may be away, once they were there, before the loop has to begin again. Until then it is told, and
# what it stores meanwhile is committed when they are back, instead of being read again.
PATIENCE_S = 60.0
NOTE_FOR_S = 60.0
# A commit that fails so was overtaken by a rebalance; whoever reads the partition next reads from the commit before.
OVERTAKEN = {
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._ASSIGNMENT_LOST,
    KafkaError._NO_OFFSET,
    *NO_SUCH_TOPIC,
}
# A commit that fails so is tried again with the next one.
AWAY = {
    KafkaError._WAIT_COORD,
    KafkaError._TRANSPORT,
    KafkaError._TIMED_OUT,
    KafkaError._TIMED_OUT_QUEUE,
    KafkaError._DESTROY,
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.REQUEST_TIMED_OUT,
}


class Position(msgspec.Struct):
    """How far one partition is. All are offsets of the next message."""

    # After the last message handed out.
    handed_out: int
    # As far as there is nothing (more) to hand out: the end of the partition, control records, what is skipped.
    passed: int
    # After the last message that is safely stored.
    acknowledged: int
    # What the broker was asked to keep, and what it confirmed.
    asked: int
    committed: int

    def to_commit(self) -> int:
        """Where whoever reads next has to begin."""
        if self.acknowledged < self.handed_out:
            return self.acknowledged
        return max(self.acknowledged, self.passed)


class Member:
    """One consumer of a group. Opened with the first `poll`; not shared between threads."""

    def __init__(self, config: KafkaConfig, source: str, group: str, consumer: str) -> None:
        self._config = config
        self._group = group
        self._trouble = Trouble(config.bootstrap_servers)
        self._reading = Reading(source, skip_tombstones=config.tombstones == "skip")
        self._pattern = re.compile(config.pattern) if config.pattern else None
        self._settle: Callable[[], None] = lambda: None
        self._consumer: Any = make(
            Consumer,
            {
                **MEMBERSHIP,
                **client_settings(config, f"eventhub {consumer}"),
                **PROMISES,
                "group.id": group,
                # A worker that was killed and starts again takes its own place at once.
                "group.instance.id": re.sub(r"[^a-zA-Z0-9._-]", "-", f"{source}.{consumer}")[:249],
                "error_cb": self._trouble.note,
                "on_commit": self._on_commit,
            },
        )
        self._start = config.start
        self._remade = Remade(config, consumer)
        self._subscribed: list[str] = []
        self._look_for_topics_at = 0.0
        self._positions: dict[Partition, Position] = {}
        # What the current poll has found so far.
        self._found: list[Message] = []
        self._chunk = FIRST_CHUNK
        self._was_reached = False
        self._refusal: KafkaError | None = None
        # What is wrong with a topic, by its name.
        self._topic_problems: dict[str, str] = {}
        # Partitions whose next message is gone.
        self._gone: set[Partition] = set()
        self._notes: dict[str, float] = {}

    def before_handover(self, settle: Callable[[], None]) -> None:
        """See adapter.HandsOver."""
        self._settle = settle

    def problems(self) -> list[str]:
        """See adapter.TellsProblems."""
        now = monotonic()
        self._notes = {text: until for text, until in self._notes.items() if until > now}
        away = [self._trouble.words()] if self._trouble.down_since else []
        return [*away, *self._topic_problems.values(), *self._notes]

    def poll(self, max_messages: int, timeout_s: float) -> list[Message]:
        """See Adapter.poll. After it raised, this member is of no more use: close it."""
        self._found = []
        try:
            self._subscribe()
            self._look_for_topics_made_anew()
            self._begin_again_where_messages_are_gone()
            self._fill(max_messages, timeout_s)
            if timeout_s > 0 and not self._found:
                self._look_around(timeout_s)
        except KafkaException as error:
            raise broker_error(error, self._trouble, group=self._group) from error
        if refusal := self._trouble.fatal or self._refusal:
            raise BrokerError(explain(refusal, self._config.bootstrap_servers, group=self._group))
        found, self._found = self._found, []
        return found

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """See Adapter.acknowledge. Of partitions that were lost meanwhile nothing is noted, which is harmless."""
        last: dict[tuple[str, int | None], str] = {}
        for message in batch:
            last[message.topic, message.partition] = message.offset
        for (topic, partition), offset in last.items():
            if position := self._positions.get((topic, partition or 0)):
                position.acknowledged = max(position.acknowledged, int(offset) + 1)
        self._commit()

    def close(self) -> None:
        """Leave, having committed what was acknowledged. Never raises."""
        for step in (lambda: self._commit_now(self._positions), self._consumer.close):
            try:
                step()
            except Exception as error:  # noqa: BLE001 - what was not committed is read again: no more is to be done
                log.info("the consumer of group %s was not closed as it should be: %s", self._group, error)

    # -- Reading -----------------------------------------------------------------------------------

    def _fill(self, max_messages: int, timeout_s: float) -> None:
        # The client waits for as many messages as it is asked for: so it is asked for one, then for what is there.
        room, size = max_messages, 0
        count = 1 if timeout_s > 0 else min(self._chunk, room)
        while room > 0 and size < BATCH_BYTES:
            raws = self._consumer.consume(count, timeout_s)
            if not raws:
                break
            self._was_reached = True
            taken = self._reading.take(raws)
            self._note(taken)
            size += taken.size_bytes
            room = max_messages - len(self._found)
            if len(raws) < count:
                break
            average = max(1, taken.size_bytes // len(raws))
            self._chunk = max(1, min(CHUNK, CHUNK_BYTES // average, self._chunk * 4))
            count, timeout_s = min(self._chunk, room), 0

    def _note(self, taken: Taken) -> None:
        """Count what was taken as handed out; what is no message is seen to."""
        if taken.messages or any(raw.error().code() == KafkaError._PARTITION_EOF for raw in taken.others):
            self._trouble.is_over()
        if not taken.seen.keys() <= self._positions.keys():
            taken.messages = [m for m in taken.messages if (m.topic, m.partition) in self._positions]
        for place, offset in taken.seen.items():
            if position := self._positions.get(place):
                position.passed = offset
                position.handed_out = max(position.handed_out, taken.handed_out.get(place, 0))
        self._found += taken.messages
        for raw in taken.others:
            self._note_other(raw, raw.error())

    def _note_other(self, raw: Any, error: KafkaError) -> None:
        place = raw.topic(), raw.partition()
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            if position := self._positions.get(place):
                position.passed = max(position.passed, raw.offset())
        elif code == KafkaError._AUTO_OFFSET_RESET:
            self._gone |= self._positions.keys() & {place}
        elif code in NO_SUCH_TOPIC or code == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            self._topic_problems[raw.topic()] = explain(error, topic=raw.topic())
        elif code == KafkaError._MAX_POLL_EXCEEDED:
            log.warning("the group %s took partitions away: a batch was in work for too long", self._group)
        elif code != KafkaError._ALL_BROKERS_DOWN:
            raise KafkaException(error)

    def _look_around(self, timeout_s: float) -> None:
        """Nothing came: is there a reason? Raises BrokerError and KafkaException."""
        self._commit()
        if self._topic_problems:
            self._look_for_missing_topics()
            if set(self._topic_problems) >= set(self._config.topics) != set():
                raise BrokerError(" ".join(self._topic_problems.values()))
        if self._trouble.down_since is None:
            return
        try:
            self._consumer.list_topics(next(iter(self._config.topics), None), timeout=timeout_s)
        except KafkaException:
            if not self._was_reached or monotonic() > self._trouble.down_since + PATIENCE_S:
                raise
        else:
            self._was_reached = True
            self._trouble.is_over()

    # -- Topics ------------------------------------------------------------------------------------

    def _subscribe(self) -> None:
        if self._pattern is None:
            names = sorted(set(self._config.topics))
        elif monotonic() >= self._look_for_topics_at:
            self._look_for_topics_at = monotonic() + LOOK_FOR_TOPICS_EVERY_S
            names = sorted(self._topics_now())
        else:
            return
        if names and names != self._subscribed:
            self._consumer.subscribe(
                names, on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            self._subscribed = names

    def _topics_now(self) -> Iterable[str]:
        """The names that the pattern fits now; those it fitted before while no broker can tell."""
        assert self._pattern is not None
        try:
            topics = self._consumer.list_topics(timeout=LOOK_TIMEOUT_S).topics
        except KafkaException:
            if not self._was_reached:
                self._consumer.poll(0)  # so that the reason is told
                raise
            return self._subscribed
        self._was_reached = True
        return [name for name in topics if self._pattern.fullmatch(name) and not name.startswith(INTERNAL)]

    def _look_for_missing_topics(self) -> None:
        # Its partitions may have gone to another worker, so that this one is never told.
        for name in list(self._topic_problems):
            try:
                topic = self._consumer.list_topics(name, timeout=LOOK_TIMEOUT_S).topics.get(name)
            except KafkaException:
                return  # what is wrong with the cluster is told otherwise
            if topic is not None and topic.error is None:
                del self._topic_problems[name]

    def _look_for_topics_made_anew(self) -> None:
        for name in self._remade.look(self._subscribed):
            self._gone |= {place for place in self._positions if place[0] == name}

    def _begin_again_where_messages_are_gone(self) -> None:
        """Deleted by retention before they were read, or with the whole topic: go on at the beginning of what is there.

        Only when everything handed out is acknowledged: offsets of a topic that was made anew begin again, too.
        """
        for place in list(self._gone):
            position = self._positions[place]
            if position.acknowledged < position.handed_out:
                continue
            self._gone.discard(place)
            self._consumer.incremental_unassign([TopicPartition(*place)])
            self._consumer.incremental_assign([TopicPartition(*place, OFFSET_BEGINNING)])
            note = (
                f"Topic {place[0]}, partition {place[1]}: the message to be read next, {position.acknowledged:,}, is "
                "gone. Either the topic's retention deleted it before it was read, or the topic was deleted and made "
                "anew. Reading goes on at the beginning of what is there."
            )
            self._positions[place] = Position(*[OFFSET_BEGINNING] * 5)
            log.warning("group %s: %s", self._group, note)
            self._notes[note] = monotonic() + NOTE_FOR_S

    # -- Partitions come and go --------------------------------------------------------------------

    def _on_assign(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        begin: list[TopicPartition] = []
        if partitions:
            begin = starts(consumer, partitions, self._everything(consumer), self._start)
        if begin and self._start == "latest":
            self._start = "earliest"  # what is made from now on is read from its beginning
        for one in begin:
            self._positions[one.topic, one.partition] = Position(*[one.offset] * 5)
            self._topic_problems.pop(one.topic, None)
        consumer.incremental_assign(begin)

    def _everything(self, consumer: Any) -> list[TopicPartition]:
        if self._start != "latest":
            return []
        topics = consumer.list_topics(timeout=8).topics
        return [
            TopicPartition(name, partition)
            for name in self._subscribed
            for partition in (topics[name].partitions if name in topics else ())
        ]

    def _on_revoke(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        places = [(one.topic, one.partition) for one in partitions]
        try:
            self._settle()
            self._commit_now(places)
        finally:
            self._forget(places)
            consumer.incremental_unassign(partitions)

    def _on_lost(self, consumer: Any, partitions: list[TopicPartition]) -> None:
        # Forgotten first: others may have read on already, and an acknowledgement from here would set them back.
        self._forget([(one.topic, one.partition) for one in partitions])
        try:
            self._settle()
        finally:
            consumer.incremental_unassign(partitions)

    def _forget(self, places: Iterable[Partition]) -> None:
        gone = set(places)
        for place in gone:
            self._positions.pop(place, None)
            self._gone.discard(place)
        # Read in this poll and not yet handed out: whoever gets the partition reads them.
        self._found = [m for m in self._found if (m.topic, m.partition) not in gone]

    # -- Committing --------------------------------------------------------------------------------

    def _commit(self) -> None:
        """Ask the broker to keep the positions; its answer comes with a later poll."""
        offsets = []
        for (topic, partition), position in self._positions.items():
            offset = position.to_commit()
            if offset > position.asked:
                position.asked = offset
                offsets.append(TopicPartition(topic, partition, offset))
        if offsets:
            self._consumer.commit(offsets=offsets, asynchronous=True)

    def _on_commit(self, error: KafkaError | None, partitions: list[TopicPartition]) -> None:
        for one in partitions:
            position = self._positions.get((one.topic, one.partition))
            failure = one.error or error
            if failure is None:
                if position:
                    position.committed = max(position.committed, one.offset)
                continue
            if position:
                position.asked = position.committed
            if failure.code() not in OVERTAKEN | AWAY:
                self._refusal = failure

    def _commit_now(self, places: Iterable[Partition]) -> None:
        """As `_commit`, and wait for the answer."""
        waiting = {
            place: position
            for place in places
            if (position := self._positions.get(place)) and position.to_commit() > position.committed
        }
        if not waiting:
            return
        offsets = [TopicPartition(*place, position.to_commit()) for place, position in waiting.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
            for position in waiting.values():
                position.committed = position.asked = position.to_commit()
        except KafkaException as error:
            if error_of(error).code() not in OVERTAKEN | AWAY:
                raise
            log.info("group %s: positions were not committed and are read again: %s", self._group, error)
