"""Whether PostgreSQL lets in what the processes may open, said before they are refused."""

import pytest
from django.db import connection

from eventhub.brokers.models import Kind, Source
from eventhub.running.connections import allowed, check_connections, needed

pytestmark = pytest.mark.django_db


def test_what_the_server_lets_in_is_what_it_says():
    with connection.cursor() as cursor:
        cursor.execute("SHOW max_connections")
        most = int(cursor.fetchone()[0])
        cursor.execute("SHOW superuser_reserved_connections")
        assert allowed() <= most - int(cursor.fetchone()[0])


def test_the_usual_processes_fit_the_embedded_server(settings):
    assert check_connections(databases=["default"]) == []


def test_too_many_processes_are_told_with_their_share_and_what_to_do(settings):
    for n in range(10):
        Source.objects.create(name=f"s-{n}", kind=Kind.REDIS, config={"streams": ["x"]})
    Source.objects.create(name="http", kind=Kind.HTTP)  # nobody polls it
    settings.WEB_PROCESSES, settings.INGEST_WORKERS, settings.TASK_WORKERS = 4, 8, 2
    (found,) = check_connections(databases=["default"])
    want = needed(10)
    assert (want.web, want.ingest, want.tasks) == (48, 176, 6)
    assert f"may open {want.all} connections" in found.msg
    assert f"lets in {allowed()}" in found.msg
    assert "DATABASE_POOL_SIZE" in found.hint


def test_checks_that_connect_to_nothing_stay_so():
    assert check_connections() == []
