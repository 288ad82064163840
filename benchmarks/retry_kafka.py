"""How fast dead letters go back to the Kafka topic that they came from."""

from benchmarks import brokers, retrying, stage, topics
from benchmarks.record import record

LETTERS = 60_000
PARTITIONS = 4
GOAL_PER_S = 3_000


def run() -> bool:
    """A job of 60,000 letters in three groups; the goal is 3,000 letters a second, each confirmed."""
    with stage.services() as folder, brokers.kafka(folder) as kafka:
        from eventhub.brokers.models import Kind, Role, Source
        from eventhub.events.message import Message

        topic = brokers.new_name("orders")
        with topics.topic(kafka.bootstrap_servers, topic, PARTITIONS, []):
            source = Source.objects.create(
                name=topic,
                kind=Kind.KAFKA,
                role=Role.DEAD_LETTERS,
                config={"bootstrap_servers": kafka.bootstrap_servers, "topics": [f"{topic}-dlt"]},
            )
            messages = [
                Message(
                    body,
                    f"{topic}-dlt",
                    str(number),
                    f"kafka:{topic}-dlt/0/{number}",
                    retrying.death(number, topic),
                    key=f"order-{number // 5}",
                    partition=0,
                )
                for number, body in enumerate(stage.bodies(LETTERS))
            ]
            retrying.died(source, messages)
            with retrying.task_worker(folder):
                rate = retrying.rate(source, LETTERS)
            if (stored := topics.count(kafka.bootstrap_servers, topic, PARTITIONS)) != LETTERS:
                raise AssertionError(f"the topic holds {stored:,} messages instead of {LETTERS:,}")
    return record(
        "retry-kafka",
        value=rate,
        unit="letters/s",
        reference="letters a second that must be reached",
        reference_value=GOAL_PER_S,
        goal=1.0,
        better="higher",
    )
