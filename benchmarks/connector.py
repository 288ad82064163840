"""Debezium's JDBC sink on Kafka Connect: what a team would otherwise write a topic into PostgreSQL with.

It is given what makes it fast: the schema stands in its settings and not in each message, batches are as large as
EventHub's, JDBC sends a batch in few statements, PostgreSQL is reached over its unix socket. It upserts by the same key
that EventHub stores an event once by, into a table with the same columns and indexes.
"""

import json
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from tests.services.artifacts import class_path, java

TABLE = "connector_event"
BATCH = 5_000
LOGGING = {"defaultLogLevel": "warn", "log.org.apache.kafka.connect.cli": "info"}

_OPTIONAL_TEXT = (
    "event_version",
    "source",
    "correlation_id",
    "causation_id",
    "stream",
    "origin_topic",
    "origin_offset",
)


def schema() -> dict[str, Any]:
    """The schema of a flattened event, as Connect's JSON converter reads it."""

    def field(name: str, kind: str, *, optional: bool = False, logical: str | None = None) -> dict[str, Any]:
        made: dict[str, Any] = {"field": name, "type": kind, "optional": optional}
        return made | ({"name": logical, "version": 1} if logical else {})

    json_text, instant = "io.debezium.data.Json", "io.debezium.time.ZonedTimestamp"
    return {
        "type": "struct",
        "optional": False,
        "name": "event",
        "fields": [
            field("event_id", "string"),
            field("event_type", "string"),
            field("occurred_at", "string", logical=instant),
            *(field(name, "string", optional=True) for name in _OPTIONAL_TEXT),
            field("stream_version", "int64", optional=True),
            field("data", "string", logical=json_text),
            field("metadata", "string", logical=json_text),
        ],
    }


def flattened(body: bytes, topic: str, offset: int) -> bytes:
    """A native event as the flat record that a sink connector writes a row of."""
    event = msgspec.json.decode(body)
    metadata = event["metadata"]
    return msgspec.json.encode(
        {
            "event_id": event["event_id"],
            "event_type": event["event_type"],
            "occurred_at": event["timestamp"],
            "event_version": event["event_version"],
            "source": metadata.get("source"),
            "correlation_id": metadata.get("correlation_id"),
            "causation_id": metadata.get("causation_id"),
            "stream": metadata.get("stream"),
            "origin_topic": topic,
            "origin_offset": str(offset),
            "stream_version": metadata.get("stream_version"),
            "data": msgspec.json.encode(event["data"]).decode(),
            "metadata": msgspec.json.encode(metadata).decode(),
        }
    )


@contextmanager
def connector(folder: Path, bootstrap_servers: str, topic: str, socket: Path) -> Iterator[None]:
    """Run Kafka Connect with the sink that writes `topic` into `TABLE`, until the end of the block."""
    folder.mkdir(parents=True)
    worker = _properties(
        {
            "bootstrap.servers": bootstrap_servers,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.json.JsonConverter",
            "offset.storage.file.filename": folder / "offsets",
            "listeners": "http://127.0.0.1:0",
            "plugin.discovery": "service_load",
            "connector.client.config.override.policy": "All",
        }
    )
    sink = {
        "name": "events",
        "connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector",
        "tasks.max": 1,
        "topics": topic,
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "value.converter.schema.content": json.dumps(schema()),
        "connection.url": _jdbc_url(socket),
        "connection.username": "postgres",
        "connection.password": "unused",
        "insert.mode": "upsert",
        "primary.key.mode": "record_value",
        "primary.key.fields": "event_id,occurred_at",
        "schema.evolution": "none",
        "collection.name.format": TABLE,
        "batch.size": BATCH,
        "consumer.override.max.poll.records": BATCH,
        "consumer.override.auto.offset.reset": "earliest",
    }
    (folder / "worker.properties").write_text(worker)
    (folder / "sink.properties").write_text(_properties(sink))
    logging = [f"-Dorg.slf4j.simpleLogger.{name}={value}" for name, value in LOGGING.items()]
    command = [java(), "-Xms512m", "-Xmx1g", *logging, "-cp", class_path("connect")]
    command += ["org.apache.kafka.connect.cli.ConnectStandalone"]
    command += [str(folder / "worker.properties"), str(folder / "sink.properties")]
    with (folder / "connect.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def make_table() -> None:
    """Make `TABLE` anew, with the columns, defaults and indexes of the event store."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {TABLE}")
        cursor.execute(f"CREATE TABLE {TABLE} (LIKE events_event INCLUDING ALL)")


def rate_of_writing(event_ids: Sequence[str], timeout_s: float) -> float:
    """Wait until `TABLE` holds the events of these ids, given in the topic's order: rows a second.

    Its start-up is not counted: what takes seconds once says nothing of a rate. Neither are the rows that were there
    when the clock started. Raises TimeoutError.
    """
    deadline = time.monotonic() + timeout_s
    _wait_for(event_ids[0], deadline)
    began, before = time.monotonic(), _count()
    _wait_for(event_ids[-1], deadline)
    seconds = time.monotonic() - began
    if (rows := _count()) != len(event_ids):
        raise AssertionError(f"the connector wrote {rows:,} rows of {len(event_ids):,} events")
    return (rows - before) / seconds


def _wait_for(event_id: str, deadline: float) -> None:
    from django.db import connection

    while time.monotonic() < deadline:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT FROM {TABLE} WHERE event_id = %s", [event_id])  # one probe of an index
            if cursor.fetchone() is not None:
                return
        time.sleep(0.05)
    raise TimeoutError(f"the connector has not written the event {event_id} in time")


def _count() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {TABLE}")
        return int(cursor.fetchone()[0])


def _properties(values: dict[str, Any]) -> str:
    return "".join(f"{name}={str(value).replace(chr(92), chr(92) * 2)}\n" for name, value in values.items())


def _jdbc_url(socket: Path) -> str:
    factory = "org.newsclub.net.unix.AFUNIXSocketFactory$FactoryArg"
    return (
        f"jdbc:postgresql://localhost/eventhub?socketFactory={factory}&socketFactoryArg={socket}/.s.PGSQL.5432"
        "&sslMode=disable&reWriteBatchedInserts=true"
    )
