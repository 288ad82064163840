"""How fast a Kafka topic becomes committed rows: beside PostgreSQL's own speed, a sink connector, and two workers."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from urllib.parse import unquote, urlsplit

import msgspec

from benchmarks import brokers, connector, copying, stage, topics
from benchmarks.record import record
from tests.services.kafka import KafkaAddress

EVENTS = 400_000
# The machine's own speed wanders: each figure is the median of rounds that take turns with the reference.
ROUNDS = 3
PARTITIONS = 4


def run() -> bool:
    """Everything on: decode, validate, deduplicate, roll up, store. The goal is 0.7 of raw COPY of the same rows."""
    with _stage() as (folder, kafka):
        messages = list(stage.bodies(EVENTS))
        rows = copying.rows(messages)
        raw, ingested = [], []
        for number in range(ROUNDS):
            raw.append(copying.rate(rows, EVENTS, f"raw_{number}"))
            ingested.append(_ingest(folder, kafka, messages, [f"bench-{number}"]))
            stage.forget_events()
        raw.append(copying.rate(rows, EVENTS, "raw_last"))
    print(f"raw COPY {_listed(raw)}; from Kafka {_listed(ingested)}", flush=True)
    return record(
        "ingest-kafka",
        value=median(ingested),
        unit="events/s",
        reference="prebuilt COPY of the same rows",
        reference_value=median(raw),
        goal=0.7,
        better="higher",
    )


def run_beside_connector() -> bool:
    """The same events through Debezium's JDBC sink on Kafka Connect; the goal is three times its rate."""
    with _stage() as (folder, kafka):
        messages = list(stage.bodies(EVENTS))
        theirs, ours = [], []
        for number in range(ROUNDS):
            theirs.append(_connect(folder / f"round-{number}", kafka, messages))
            ours.append(_ingest(folder, kafka, messages, [f"bench-{number}"]))
            stage.forget_events()
        theirs.append(_connect(folder / "last", kafka, messages))
    print(f"connector {_listed(theirs)}; from Kafka {_listed(ours)}", flush=True)
    return record(
        "ingest-kafka-connector",
        value=median(ours),
        unit="events/s",
        reference="Debezium's JDBC sink connector",
        reference_value=median(theirs),
        goal=3.0,
        better="higher",
    )


def run_two_workers() -> bool:
    """Two workers share the topic: half as much again where a third core exists, and never less on two cores."""
    with _stage() as (folder, kafka):
        messages = list(stage.bodies(EVENTS))
        one = _ingest(folder, kafka, messages, ["one"])
        stage.forget_events()
        two = _ingest(folder, kafka, messages, ["two-a", "two-b"])
        stage.forget_events()
        one_again = _ingest(folder, kafka, messages, ["one-again"])
    print(f"one worker before {one:,.0f}/s, after {one_again:,.0f}/s", flush=True)
    return record(
        "ingest-kafka-two-workers",
        value=two,
        unit="events/s",
        reference="one worker",
        reference_value=(one + one_again) / 2,
        goal=1.5 if (os.cpu_count() or 1) > 2 else 1.0,
        better="higher",
    )


@contextmanager
def _stage() -> Iterator[tuple[Path, KafkaAddress]]:
    with stage.services() as folder, brokers.kafka(folder) as kafka:
        yield folder, kafka


def _ingest(folder: Path, kafka: KafkaAddress, messages: list[bytes], workers: list[str]) -> float:
    """Events a second from a filled topic to committed rows, by these workers."""
    from eventhub.brokers.models import Kind, Source

    name = brokers.new_name("orders")
    with topics.topic(kafka.bootstrap_servers, name, PARTITIONS, messages):
        stage.declare_schema()
        source = Source.objects.create(
            name=name,
            kind=Kind.KAFKA,
            config={"bootstrap_servers": kafka.bootstrap_servers, "topics": [name], "group": name},
        )
        rate = stage.ingest_rate(source, folder, workers, len(messages), timeout_s=300)
        source.enabled = False
        source.save()
    return rate


def _connect(folder: Path, kafka: KafkaAddress, messages: list[bytes]) -> float:
    """Rows a second of the sink connector, from a filled topic to the same kind of table."""
    name = brokers.new_name("flat")
    flat = (connector.flattened(body, name, number) for number, body in enumerate(messages))
    # One partition: its one task reads them all the same, and the last row is the last one written.
    with topics.topic(kafka.bootstrap_servers, name, 1, flat):
        connector.make_table()
        with connector.connector(folder, kafka.bootstrap_servers, name, _socket_folder()):
            ids = [msgspec.json.decode(body)["event_id"] for body in messages]
            return connector.rate_of_writing(ids, timeout_s=300)


def _listed(rates: list[float]) -> str:
    return ", ".join(f"{rate:,.0f}" for rate in rates) + "/s"


def _socket_folder() -> Path:
    return Path(unquote(urlsplit(os.environ["DATABASE_URL"]).netloc.rpartition("@")[2]))
