"""`python -m tests.services`: starts all three, says how to reach them, stops what it started and nothing else."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.services.embedded import RUN_DIR
from tests.services.processes import Processes, kill_all_below
from tests.services.server import Unavailable
from tests.services.shared import KINDS

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"KAFKA_BOOTSTRAP_SERVERS", "RABBITMQ_URL", "RABBITMQ_MANAGEMENT_URL", "SQS_ENDPOINT_URL"}


@pytest.fixture
def folder() -> Iterator[Path]:
    # In the run's folder, where the next run finds it should this one be killed.
    with tempfile.TemporaryDirectory(prefix="services-", dir=os.environ["VAR_DIR"]) as name:
        yield Path(name)
        kill_all_below(Path(name))


def services(command: str, folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return run(["tests.services", command], folder, **environment)


def run(module: list[str], folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """What a shell sees that has no broker in its environment but those given, and knows nothing of this run."""
    ours = ("KAFKA_", "RABBITMQ_", "SQS_", "PYTEST_", RUN_DIR)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return subprocess.run(
        [sys.executable, "-m", *module],
        cwd=ROOT,
        env={**inherited, "SERVICES_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def exported(output: str) -> dict[str, str]:
    lines = [line.removeprefix("export ") for line in output.splitlines() if line.startswith("export ")]
    return dict(line.split("=", 1) for line in lines)


def running_below(folder: Path) -> list[psutil.Process]:
    return [
        process
        for inner in folder.iterdir()
        if inner.is_dir()
        for process in Processes(inner).alive().values()
    ]


@pytest.mark.integration
def test_up_status_down(folder: Path) -> None:
    for kind in KINDS.values():
        try:
            kind.require()
        except Unavailable as reason:
            pytest.skip(f"no {kind.name}: {reason}")
    up = services("up", folder)
    assert up.returncode == 0, up.stderr
    assert exported(up.stdout).keys() >= NAMES
    assert services("status", folder).stdout == up.stdout
    # A second one changes nothing.
    before = {process.pid for process in running_below(folder)}
    assert services("up", folder).stdout == up.stdout
    assert {process.pid for process in running_below(folder)} == before
    for process in running_below(folder):
        listening = [c.laddr.ip for c in process.net_connections() if c.status == psutil.CONN_LISTEN]
        assert set(listening) <= {"127.0.0.1", "::ffff:127.0.0.1", "::1"}

    down = services("down", folder)
    assert down.returncode == 0
    assert exported(down.stdout) == {}
    assert down.stdout.count("not running") == 3
    assert not [pid for pid in before if psutil.pid_exists(pid)]


def test_what_the_environment_names_is_used_and_nothing_started(folder: Path) -> None:
    named = {
        "KAFKA_BOOTSTRAP_SERVERS": "kafka.example:9092",
        "RABBITMQ_URL": "amqp://user:password@rabbit.example:5672/",
        "SQS_ENDPOINT_URL": "http://sqs.example:9324",
    }
    up = services("up", folder, **named)
    assert up.returncode == 0
    assert exported(up.stdout) == named
    assert not [inner for inner in folder.iterdir() if inner.is_dir()]


def test_what_cannot_be_had_is_said_and_fails(folder: Path) -> None:
    named = {"RABBITMQ_URL": "amqp://rabbit.example/", "SQS_ENDPOINT_URL": "http://sqs.example"}
    up = services("up", folder, JAVA_HOME="/nowhere", **named)
    assert up.returncode == 1
    assert "Kafka cannot be had: there is no Java" in up.stderr
    assert "default-jre-headless" in up.stderr
    assert "# Kafka: not running" in up.stdout


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('openjdk version "11.0.2"', "Java 11, and Java 17"),
        ('java version "1.8.0_202"', "Java 8"),
        ("?", "does not say"),
    ],
)
def test_a_java_that_is_too_old_is_said(folder: Path, said: str, reason: str) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "java").write_text(f"#!/bin/sh\necho '{said}' >&2\n")
    (folder / "bin" / "java").chmod(0o755)
    named = {"RABBITMQ_URL": "amqp://rabbit.example/", "SQS_ENDPOINT_URL": "http://sqs.example"}
    up = services("up", folder, JAVA_HOME=str(folder), **named)
    assert up.returncode == 1
    assert reason in up.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("require_all", "code"), [("0", 0), ("1", 1)])
def test_tests_of_what_cannot_be_had_are_skipped_with_the_reason(
    folder: Path, require_all: str, code: int
) -> None:
    one = ["pytest", "-p", "no:cacheprovider", "tests/integration/test_brokers.py", "-k", "sqs_gives_back"]
    tests = run(one, folder, JAVA_HOME="/nowhere", REQUIRE_ALL=require_all)
    assert "1 skipped" in tests.stdout
    assert "no ElasticMQ: there is no Java; install it" in tests.stdout
    assert tests.returncode == code


def test_an_unknown_command_is_answered_with_the_known_ones(folder: Path) -> None:
    answer = services("sideways", folder)
    assert answer.returncode == 1
    assert "| down | status" in answer.stderr
