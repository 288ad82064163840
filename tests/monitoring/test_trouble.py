"""What is wrong with a source, and what to do about it."""

from datetime import timedelta

import pytest

from eventhub.brokers.models import Kind, Source, SourceStatus, State
from monitoring.trouble import trouble_of
from tests.monitoring.conftest import NOON

SOURCE = Source(name="shop", kind=Kind.REDIS)


def beat(error="", state=State.FAILING, restarts=1, worker="w1", ago_s=1.0, age_s=1.0):
    return SourceStatus(
        worker=worker,
        state=state,
        heartbeat_at=NOON - timedelta(seconds=age_s),
        started_at=NOON - timedelta(hours=1),
        restarts=restarts,
        last_error=error,
        last_error_at=NOON - timedelta(seconds=ago_s) if error else None,
    )


@pytest.mark.parametrize(
    ("error", "word", "advice"),
    [
        (
            "BrokerError: Redis cannot be reached: Error 111 connecting. Connection refused.",
            "refused",
            "nothing listens on that port",
        ),
        (
            "BrokerError: Redis cannot be reached: Error -2. Name or service not known.",
            "unknown host",
            "spelling",
        ),
        (
            "BrokerError: Redis refused: WRONGPASS invalid username-password pair",
            "not authorised",
            "password",
        ),
        ("BrokerError: There is no topic 'orders' (yet). Check its name.", "not there", "made already"),
        ("BrokerError: TLS failed: certificate verify failed", "not trusted", "certificate authority"),
        ("BadConfig: The config lacks 'streams': a list.", "wrong settings", "settings of the source"),
        (
            "OperationalError: connection failed: Connection refused",
            "not stored",
            "PostgreSQL's answer, not the broker's",
        ),
        ("ZeroDivisionError: division by zero", "failed", "a message may be the cause"),
    ],
)
def test_an_error_is_told_in_a_word_with_what_to_do(error, word, advice):
    trouble = trouble_of(SOURCE, [beat(error)], NOON)
    assert trouble is not None
    assert trouble.word == word
    assert advice in " ".join(trouble.advice)
    assert trouble.level == "broken"


def test_what_fails_again_and_again_may_be_paused_without_loss():
    once = trouble_of(SOURCE, [beat("ValueError: x", restarts=1)], NOON)
    often = trouble_of(SOURCE, [beat("ValueError: x", restarts=9)], NOON)
    assert once
    assert often
    assert once.title != often.title
    assert "it can be paused" in often.advice[-1]
    assert (often.restarts, often.since) == (9, NOON - timedelta(hours=1))


def test_a_worker_that_runs_again_tells_its_error_for_a_while():
    statuses = [beat("Topic orders is gone.", State.RUNNING, ago_s=20)]
    trouble = trouble_of(SOURCE, statuses, NOON)
    assert trouble is not None
    assert (trouble.level, trouble.text) == ("busy", "Topic orders is gone.")
    assert trouble_of(SOURCE, [beat("x", State.RUNNING, ago_s=90)], NOON) is None


def test_a_source_that_fails_on_some_workers_is_carried_by_the_others():
    statuses = [beat("BrokerError: refused the connection", worker="w2"), beat(state=State.RUNNING)]
    trouble = trouble_of(SOURCE, statuses, NOON)
    assert trouble is not None
    assert (trouble.level, trouble.workers) == ("busy", ("w2",))


@pytest.mark.parametrize(
    ("source", "statuses"),
    [
        (SOURCE, []),
        (SOURCE, [beat(state=State.RUNNING)]),
        (SOURCE, [beat("BrokerError: x", age_s=60)]),
        (Source(name="p", kind=Kind.REDIS, paused=True), [beat("BrokerError: x")]),
        (Source(name="o", kind=Kind.REDIS, enabled=False), [beat("BrokerError: x")]),
    ],
)
def test_where_nothing_is_tried_or_wrong_there_is_no_trouble(source, statuses):
    assert trouble_of(source, statuses, NOON) is None
