"""SQL and template injection, tried in every parameter of the API and in the search for traces."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client

from eventhub.access.models import Role, Scope
from eventhub.api import api
from tests.access.people import browser, person, script
from tests.handlers.conftest import Hub, placed

pytestmark = pytest.mark.django_db

# Each would call a function that leaves a trace, in whatever place of a statement it lands.
SQL = (
    "' || injected() || '",
    "x' OR injected() = 'x' -- ",
    "1; SELECT injected(); -- ",
    "1) OR injected() = 'x' -- ",
    '" OR injected() = "x',
    "%' AND injected() LIKE '%",
    "\\' OR injected() = 'x' -- ",
    "$$ || injected() || $$",
)
# What an engine would make of it: a number that stands nowhere else.
TEMPLATE = '{{ "5153"|add:"2719" }}{% now "U" %}${5153+2719}'
RENDERED = ("51532719", "7872")


@pytest.fixture
def trap() -> Iterator[Any]:
    """A function in the database that leaves a row where it is called."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE injected_row (at timestamptz DEFAULT clock_timestamp())")
        cursor.execute(
            "CREATE FUNCTION injected() RETURNS text LANGUAGE plpgsql AS"
            " $$ BEGIN INSERT INTO injected_row DEFAULT VALUES; RETURN 'x'; END $$"
        )

        def calls() -> int:
            cursor.execute("SELECT count(*) FROM injected_row")
            return int(cursor.fetchone()[0])

        yield calls


@pytest.fixture
def reader(trap: Any) -> Client:
    hub = Hub()
    hub.take(*(placed(n) for n in range(3)))
    return browser(person(Role.ADMINISTRATOR))


def look(client: Client, address: str, asked: dict[str, str], **more: Any) -> None:
    answer = client.get(address, asked, **more)
    assert answer.status_code < 500, (address, asked, answer.status_code)
    if not answer.streaming:
        told = answer.content.decode(errors="replace")
        assert not any(one in told for one in RENDERED), (address, asked)


def test_the_trap_works(trap: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT injected()")
    assert trap() == 1


def test_no_parameter_of_the_api_does(reader: Client, trap: Any) -> None:
    headers = script(Scope.CONFIGURE)
    tried = 0
    for path, operations in api.get_openapi_schema()["paths"].items():
        if "get" not in operations:
            continue
        described = operations["get"].get("parameters", [])
        address = re.sub(r"\{[^}]*\}", "1", path)
        names = [one["name"] for one in described if one["in"] == "query"]
        for payload in (*SQL, TEMPLATE):
            look(reader, address, dict.fromkeys(names, payload), headers=headers)
        for name in names:
            look(reader, address, {name: SQL[0]}, headers=headers)
            tried += 1
        for payload in SQL[:2]:
            look(reader, re.sub(r"\{[^}]*\}", payload, path), {}, headers=headers)
    assert tried > 40
    assert trap() == 0


@pytest.mark.parametrize(
    "text", [*(f'type:"{one}"' for one in SQL), *SQL, TEMPLATE, "data.x=' || injected() || '"]
)
def test_no_search_for_traces_does(reader: Client, trap: Any, text: str) -> None:
    look(reader, "/traces/", {"q": text})
    look(reader, "/api/traces", {"q": text}, headers=script(Scope.READ))
    look(reader, "/traces/complete", {"q": text})
    assert trap() == 0
