"""What waits for others does not hold up who begins it, and is done by one at a time."""

import threading

import pytest
from django.db import connection

from eventhub.running.aside import aside

pytestmark = pytest.mark.django_db(transaction=True)


def test_it_is_begun_once_and_again_when_it_is_over() -> None:
    going, done = threading.Event(), []

    def work() -> None:
        going.wait(30)
        done.append(1)

    first = aside("waiting", work)
    assert first is not None
    assert aside("waiting", work) is None
    going.set()
    first.join(30)
    again = aside("waiting", work)
    assert again is not None
    again.join(30)
    assert done == [1, 1]


def test_another_process_at_it_is_left_to_it() -> None:
    done: list[int] = []
    with connection.cursor() as cursor:  # as another process would
        cursor.execute("SELECT pg_advisory_lock(hashtext('aside'), hashtext('shared'))")
        thread = aside("shared", lambda: done.append(1))
        assert thread is not None
        thread.join(30)
        assert not done
        cursor.execute("SELECT pg_advisory_unlock(hashtext('aside'), hashtext('shared'))")
    thread = aside("shared", lambda: done.append(1))
    assert thread is not None
    thread.join(30)
    assert done == [1]


def test_what_it_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    def work() -> None:
        raise ValueError("no answer")

    thread = aside("failing", work)
    assert thread is not None
    thread.join(30)
    assert "failing failed" in caplog.text
