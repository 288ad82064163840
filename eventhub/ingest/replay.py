"""Reading a part of a Kafka topic into the store once more: what is there already is a duplicate, which is harmless.

It reads beside the consumer group, whose position does not move, through the same stages as any other batch.
"""

from collections.abc import Callable

import msgspec
from django.conf import settings

from eventhub.brokers.adapter import BadConfig
from eventhub.brokers.config import KafkaConfig, read_config
from eventhub.brokers.kafka.adapter import group_of
from eventhub.brokers.kafka.cluster import Cluster
from eventhub.brokers.kafka.spans import Point, Span, SpanReader, spans_between
from eventhub.brokers.models import Kind, Source
from eventhub.events.store import Outcome
from eventhub.ingest.pipeline import Pipeline

POLL_TIMEOUT_S = 1.0


class Tally(msgspec.Struct):
    """What became of the messages so far."""

    messages: int = 0
    # Events that were not in the store before, and those that were.
    new: int = 0
    known: int = 0
    # New dead letters.
    letters: int = 0


def plan(
    source: Source, topic: str, start: Point = None, end: Point = None, partition: int | None = None
) -> list[Span]:
    """What would be read: from `start` up to but not including `end`, in each partition or in one.

    An offset counts in each partition by itself; None is where a partition begins or, now, ends. Raises BrokerError.
    """
    if source.kind != Kind.KAFKA:
        raise BadConfig(
            f"The source {source.name!r} is of kind {source.get_kind_display()}; only Kafka's can be replayed."
        )
    cluster = Cluster(read_config(source, KafkaConfig), "replay")
    return spans_between(cluster, topic, start, end, partition)


def replay(source: Source, spans: list[Span], on_progress: Callable[[Tally], None]) -> Tally:
    """Read `spans` into the store, batch by batch, each in one transaction.

    When it raises (BrokerError, django.db.Error), what was read before is stored, and the whole can be run again.
    """
    pipeline = Pipeline(source)
    tally = Tally()
    config = read_config(source, KafkaConfig)
    reader = SpanReader(config, source.name, group_of(config, source), spans)
    try:
        while not reader.is_done:
            messages = reader.poll(settings.INGEST_BATCH_SIZE, POLL_TIMEOUT_S)
            if not messages:
                continue
            written = pipeline.write(pipeline.prepare(messages))
            tally.messages += len(messages)
            tally.new += sum(outcome is Outcome.STORED for outcome in written.outcomes)
            tally.known += sum(
                outcome in (Outcome.DUPLICATE, Outcome.MUTATED) for outcome in written.outcomes
            )
            tally.letters += written.new_letters
            on_progress(tally)
    finally:
        reader.close()
    return tally
