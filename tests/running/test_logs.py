"""What the log says of itself: which request, task, source, handler and event a line belongs to."""

import json
import logging
import os
import subprocess
import sys
import threading

import pytest
from celery import shared_task
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from eventhub.brokers.secrets import scrubbing
from eventhub.ingest.loop import SourceLoop
from eventhub.running.logs import Bound, Json, Lines
from eventhub.telemetry import context, tasks
from tests.handlers.conftest import handles, hub, placed  # noqa: F401
from tests.services.product import ROOT

LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class Kept(logging.Handler):
    """Keeps what was logged, written as JSON."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(Bound())
        self.setFormatter(Json())
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def saying(self, words: str) -> list[dict[str, object]]:
        return [told for line in self.lines if words in (told := json.loads(line))["message"]]


@pytest.fixture
def kept():
    handler = Kept()
    logging.getLogger().addHandler(handler)
    yield handler
    logging.getLogger().removeHandler(handler)


def record(message: str, *arguments: object) -> logging.LogRecord:
    made = logging.LogRecord("orders", logging.WARNING, __file__, 1, message, arguments, None)
    Bound().filter(made)
    return made


def test_a_line_for_people_ends_with_what_was_worked_on():
    with context.bound(source="shop", task_id="t-1", correlation_id=None):
        line = Lines(LINE).format(record("%d letters", 3))
    assert line.endswith("WARNING orders: 3 letters [source=shop task_id=t-1]")
    assert Lines(LINE).format(record("idle")).endswith("orders: idle")


def test_ids_from_outside_begin_no_line_of_their_own():
    with context.bound(correlation_id="c-1\n2026-01-01 ERROR root: forged\x1b[31m"):
        line = Lines(LINE).format(record("seen"))
        assert "\n" not in line
        assert "\x1b" not in line
        assert "\n" not in Json().format(record("seen"))


@given(st.text(), st.dictionaries(st.sampled_from(["source", "handler", "event_id"]), st.text(min_size=1)))
def test_whatever_is_logged_is_one_line_of_json(message, ids):
    with context.bound(**ids):
        line = Json().format(record("%s", message))
    assert "\n" not in line
    told = json.loads(line)
    assert set(ids) <= set(told)


def test_secrets_are_scrubbed_from_messages_ids_and_tracebacks_in_both_formats():
    scrubbing.remember(["hunter2-hunter2"])
    try:
        raise ValueError("at hunter2-hunter2")
    except ValueError:
        failed = logging.LogRecord("a", 40, __file__, 1, "with %s", ("hunter2-hunter2",), sys.exc_info())
    with context.bound(event_id="hunter2-hunter2"):
        Bound().filter(failed)
    for formatter in (Lines(LINE), Json()):
        assert "hunter2" not in formatter.format(failed)
    told = json.loads(Json().format(failed))
    assert told["error"] == "ValueError"
    assert "Traceback" in told["traceback"]


@pytest.mark.django_db
def test_a_request_keeps_the_id_it_came_with_and_another_gets_one(kept):
    logging.getLogger("eventhub.requests").setLevel(logging.INFO)
    try:
        answer = Client().get("/healthz", headers={"x-request-id": "proxy-7"})
    finally:
        logging.getLogger("eventhub.requests").setLevel(logging.WARNING)
    assert answer["X-Request-ID"] == "proxy-7"
    (line,) = kept.saying("GET /healthz 200")
    assert line["request_id"] == "proxy-7"
    made = Client().get("/healthz", headers={"x-request-id": "two words"})["X-Request-ID"]
    assert len(made) == 32
    assert not context.current()


def test_a_task_logs_its_id_its_name_and_the_request_that_asked_for_it(kept):
    tasks.connect()

    @shared_task(name="tests.grumble")
    def grumble() -> None:
        logging.getLogger("tests").warning("grumbling")

    headers: dict[str, object] = {}
    with context.bound(request_id="r-1"):
        tasks._send_along(headers=headers)
    result = grumble.apply(task_id="t-9", headers=headers)
    result.get()
    (line,) = kept.saying("grumbling")
    assert (line["task_id"], line["task"], line["request_id"]) == ("t-9", "tests.grumble", "r-1")
    assert "task_id" not in context.current()


@pytest.mark.django_db(transaction=True)
def test_a_handler_logs_the_event_and_its_correlation(kept, hub, handles):  # noqa: F811
    @handles("order.placed")
    def ship(event):
        logging.getLogger("tests").warning("shipping")

    hub.take(placed(1))
    hub.run("ship")
    (line,) = kept.saying("shipping")
    assert (line["handler"], line["event_id"]) == ("ship", "evt-1")
    assert line["correlation_id"]
    assert "handler" not in context.current()


@pytest.mark.django_db(transaction=True)
def test_what_a_source_logs_bears_its_name(kept):
    from eventhub.brokers.models import Kind, Source

    source = Source.objects.create(
        name="unreachable", kind=Kind.REDIS, config={"streams": ["x"], "url": "redis://127.0.0.1:1/0"}
    )
    loop = SourceLoop(source, "ingest@test")
    loop.start()
    try:
        deadline = threading.Event()
        for _ in range(300):
            if kept.saying("failed and begins again"):
                break
            deadline.wait(0.1)
    finally:
        loop.stop()
        assert loop.join(30)
    line = kept.saying("failed and begins again")[0]
    assert (line["source"], line["worker"]) == ("unreachable", "ingest@test")


def test_the_setting_makes_a_process_log_json():
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-c", "import logging; logging.getLogger('a').error('b')"],
        cwd=ROOT, env={**os.environ, "LOG_FORMAT": "json"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    told = json.loads(done.stderr.strip().splitlines()[-1])
    assert (told["level"], told["logger"], told["message"]) == ("ERROR", "a", "b")
