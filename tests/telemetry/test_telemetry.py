import os
import subprocess
import sys

import pytest
from django.db import connection, transaction
from django.test import Client

from eventhub.outbox import targets
from eventhub.outbox.management.commands.outbox import params_of
from eventhub.outbox.publishing import publish
from eventhub.outbox.relay import Relay
from eventhub.telemetry import exporting, operations
from eventhub.telemetry.operations import operation
from tests.dlq.jobs.driven import run_until_it_waits, start
from tests.handlers.conftest import placed
from tests.telemetry.conftest import values

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.mark.django_db(transaction=True)
def test_batches_and_attempts_are_told_with_what_became_of_them(told, hub, handles):
    @handles("order.placed")
    def ship(event):
        if event.event_id == "evt-2":
            raise ValueError("s3cret-in-a-message")

    hub.take(placed(1), placed(2))
    hub.run("ship")
    exporting.stop()
    (write,) = told.named("ingest.write")
    about = values(write.attributes)
    assert (about["eventhub.source"], about["eventhub.broker"], about["eventhub.events.stored"]) == (
        "shop",
        "redis",
        2,
    )
    attempts = {values(span.attributes)["eventhub.event.id"]: span for span in told.named("handlers.attempt")}
    assert set(attempts) == {"evt-1", "evt-2"}
    assert attempts["evt-1"].status.code == 0
    assert attempts["evt-2"].status.code == 2
    assert values(attempts["evt-2"].attributes)["error.type"].endswith("ValueError")
    assert attempts["evt-1"].end_time_unix_nano > attempts["evt-1"].start_time_unix_nano
    assert "s3cret" not in repr(told.spans)


@pytest.mark.django_db
def test_a_request_is_told_in_the_trace_of_its_caller_by_its_pattern(told):
    client = Client()
    client.get("/healthz?token=hush", headers={"traceparent": CALLER})
    client.get("/sources/no-such-source/")
    exporting.stop()
    (health,) = told.named("GET /healthz")
    assert health.trace_id.hex() == TRACE
    assert health.kind == 2  # server
    assert values(health.attributes)["http.response.status_code"] == 200
    assert len(told.named("GET /sources/<slug:name>/")) == 1
    assert "hush" not in repr(told.spans)


@pytest.mark.django_db(transaction=True)
def test_batches_of_the_relay_and_of_retries_are_told(told, died, redis):
    with connection.cursor() as cursor:  # rows of a migration, which a test that commits takes away
        cursor.execute(
            "INSERT INTO outbox_relayslice (number) SELECT generate_series(0, 15) ON CONFLICT (number) DO NOTHING"
        )
    with transaction.atomic():
        for n in range(3):
            publish("shop.orders", {"n": n})
    relay = Relay(params_of(None), lambda: targets.connect(targets.target("redis", {})))
    assert relay.turn() == 3
    assert relay.turn() == 0
    relay.close()
    run_until_it_waits(start(died(4)))
    exporting.stop()
    assert len(told.named("outbox.relay")) == 1  # a look that finds nothing is no operation
    (retry,) = told.named("dlq.retry")
    assert values(retry.attributes)["eventhub.confirmed"] == 4
    counted = {
        values(point.attributes)["operation"]: point.as_int
        for point in told.metrics["eventhub.operation.items"][-1].sum.data_points
    }
    assert (counted["outbox.relay"], counted["dlq.retry"]) == (3, 4)


def test_metrics_of_operations_and_of_the_process_come_with_who_it_is(told):
    for n in range(5):
        with operation("a.thing", items=10):
            pass
        with pytest.raises(ZeroDivisionError), operation("a.thing", items=1):
            n / 0
    exporting.stop()
    points = told.metrics["eventhub.operation.duration"][-1].histogram.data_points
    assert {values(point.attributes)["outcome"]: point.count for point in points} == {"ok": 5, "error": 5}
    assert told.metrics["process.memory.usage"][-1].sum.data_points[0].as_int > 10_000_000
    assert told.metrics["process.cpu.time"][-1].sum.data_points[0].as_double > 0
    (resource, *_) = told.resources
    assert (resource["service.name"], resource["deployment.environment"]) == ("eventhub", "test")
    assert all(headers["x-key"] == "k" for _, headers in told.requests)
    assert {path for path, _ in told.requests} == {"/v1/traces", "/v1/metrics"}


@pytest.mark.parametrize(
    ("environ", "paths"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, set()),
        ({"OTEL_TRACES_EXPORTER": "none"}, {"/v1/metrics"}),
        ({"OTEL_METRICS_EXPORTER": "none"}, {"/v1/traces"}),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, set()),
        ({"OTEL_TRACES_EXPORTER": "zipkin", "OTEL_METRICS_EXPORTER": "none"}, set()),
    ],
)
def test_the_usual_variables_switch_each_signal_off(collector, monkeypatch, environ, paths, caplog):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert exporting.start() is bool(paths)
    with operation("a.thing"):
        pass
    exporting.stop()
    assert {path for path, _ in collector.requests} == paths
    if "grpc" in environ.values() or "zipkin" in environ.values():
        assert "http/protobuf" in caplog.text


def test_a_collector_that_is_away_is_no_trouble(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    assert exporting.start()
    with operation("a.thing") as told:
        told.set(done=True)
    exporting.stop()


PROGRAM = """
import sys
from eventhub.telemetry.operations import operation
with operation("a.thing", items=3, some_attribute="x") as told:
    told.set(more=1)
print(operation("a") is operation("b"), any(name.startswith("opentelemetry") for name in sys.modules))
"""


def program(**environ):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=clean | environ, capture_output=True, text=True, check=True
    )
    return done.stdout.split()


def test_nothing_is_loaded_and_nothing_is_made_where_nobody_asks_for_it():
    assert program() == ["True", "False"]


def test_a_process_begins_by_itself_where_the_environment_asks_and_sends_the_rest_when_it_ends(collector):
    assert program(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_SERVICE_NAME="hub-of-tests") == [
        "False",
        "True",
    ]
    assert len(collector.named("a.thing")) == 1
    assert collector.resources[0]["service.name"] == "hub-of-tests"


def test_what_it_costs_where_nobody_listens_is_next_to_nothing(monkeypatch):
    operations.tell(None)
    from timeit import timeit

    def one():
        with operation("a.thing", items=1, eventhub_source="shop"):
            pass

    assert timeit(one, number=100_000) < 1.0  # under 10 µs each, on a machine that has other things to do
