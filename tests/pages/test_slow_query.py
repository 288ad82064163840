"""A page or an answer that takes longer than the limit is given up, and says what to do."""

from collections.abc import Iterator

import psycopg
import pytest
from django.db import connection
from django.test import Client

from eventhub.access.models import Role, Scope
from tests.access.people import browser, person, script
from tests.services.product import ROOT

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def busy() -> Iterator[None]:
    """A table of traces that somebody holds, so that whoever reads it waits; and a limit of a moment."""
    params = connection.get_connection_params()
    params = {key: value for key, value in params.items() if key not in {"cursor_factory", "context"}}
    with psycopg.connect(**params) as other:
        other.execute("LOCK TABLE events_event, traces_savedsearch IN ACCESS EXCLUSIVE MODE")
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = '300ms'")
        yield
        other.rollback()
    with connection.cursor() as cursor:
        cursor.execute("RESET statement_timeout")


def viewer() -> Client:
    return browser(person(Role.VIEWER))


def test_a_page_says_that_it_took_too_long_and_what_to_do(request):
    client = viewer()
    request.getfixturevalue("busy")
    answer = client.get("/traces/")
    assert answer.status_code == 503
    page = answer.content.decode()
    assert "This took too long" in page
    assert "Narrow it" in page


def test_a_part_of_a_page_gets_the_words_alone(request):
    client = viewer()
    request.getfixturevalue("busy")
    answer = client.get("/traces/", headers={"hx-request": "true"})
    assert answer.status_code == 503
    assert answer["Content-Type"].startswith("text/plain")
    assert "<" not in answer.content.decode()


def test_the_api_says_it_in_json_and_when_to_come_again(request):
    client, headers = browser(), script(Scope.READ)
    request.getfixturevalue("busy")
    answer = client.get("/api/events?event_id=e-1", headers=headers)
    assert answer.status_code == 503
    assert answer["Retry-After"]
    assert "given up" in answer.json()["detail"]


def test_the_web_process_alone_has_the_limit():
    import os
    import subprocess
    import sys

    asks = "from django.conf import settings; print(settings.DATABASES['default'].get('OPTIONS', {}).get('options'))"

    def told(**environment: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", asks], cwd=ROOT, check=True, capture_output=True, text=True,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "eventhub.settings", **environment},
        ).stdout.strip()  # fmt: skip

    assert told(DATABASE_POOL="1") == "-c statement_timeout=20000"
    assert told(DATABASE_POOL="1", WEB_STATEMENT_TIMEOUT_S="0") == "None"
    assert told(DATABASE_POOL="0") == "None"
