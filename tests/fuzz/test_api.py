"""Every operation of the API, asked what its OpenAPI document allows and what it does not: never a 5xx."""

import json
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from hypothesis import given

from eventhub.access.models import Scope
from eventhub.api import api
from eventhub.brokers.models import Kind, Source
from tests.access.people import browser, script
from tests.fuzz import inputs
from tests.fuzz.amount import count, examples
from tests.fuzz.openapi import Operation, Request, operations

pytestmark = pytest.mark.django_db
OPERATIONS = list(
    operations(json.loads(json.dumps(api.get_openapi_schema(path_prefix="/api/"), default=str)))
)
SHARE = 0.25 / len(OPERATIONS)
# 502: the broker of a source did not answer; 503: there is a time to ask again. Both are told in words.
TOLD = {502, 503}


@pytest.fixture(autouse=True)
def brokers_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source that somebody made up leads nowhere; waiting for that is not part of this."""
    monkeypatch.setattr("eventhub.brokers.trying.TIMEOUT_S", 0.05)


def send(client: Client, method: str, address: str, headers: dict[str, str], **more: Any) -> Any:
    """One request; within a transaction its effects are undone."""
    if not connection.in_atomic_block:
        return client.generic(method, address, headers=headers, **more)
    before = transaction.savepoint()
    try:
        return client.generic(method, address, headers=headers, **more)
    finally:
        connection.needs_rollback = False
        transaction.savepoint_rollback(before)


# Work that is committed before it begins.
COMMITTING = [
    one
    for one in OPERATIONS
    if one.label in ("POST /api/retry-jobs", "POST /api/dead-letters/{letter_id}/retry")
]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("operation", COMMITTING, ids=lambda one: one.label)
def test_no_request_for_a_retry_makes_the_api_stumble(operation: Operation) -> None:
    ask_all_of(operation)


@pytest.mark.parametrize(
    "operation", [one for one in OPERATIONS if one not in COMMITTING], ids=lambda one: one.label
)
def test_no_request_makes_the_api_stumble(operation: Operation) -> None:
    ask_all_of(operation)


def ask_all_of(operation: Operation) -> None:
    client = browser()
    is_sending = operation.label in ("POST /api/events", "POST /api/streams/{name}/events")
    token = script(Scope.INGEST if is_sending else Scope.CONFIGURE)

    @examples(6, SHARE)
    @given(operation.requests())
    def ask(request: Request) -> None:
        count("REST API")
        more: dict[str, Any] = {}
        if request.has_body:
            more = {"data": json.dumps(request.body), "content_type": "application/json"}
        answer = send(client, request.method, request.address, token, **more)
        assert answer.status_code < 500 or answer.status_code in TOLD, answer.content[:300]
        if answer.status_code >= 400 and answer.status_code not in (404, 405):  # of an address that is none
            assert answer["Content-Type"].startswith("application/json"), answer.content[:300]

    ask()


def test_no_body_makes_ingest_stumble_or_is_answered_without_a_result() -> None:
    client, token = browser(), script(Scope.INGEST)
    Source.objects.get_or_create(name="http", defaults={"kind": Kind.HTTP})

    @examples(100, 0.05)
    @given(inputs.bodies, inputs.headers)
    def ask(body: bytes, headers: dict[str, str]) -> None:
        count("POST /api/events")
        sent = {name: value for name, value in headers.items() if name.isascii() and value.isascii()}
        sent = {name: value for name, value in sent.items() if (name + value).isprintable() and name.strip()}
        kind = sent.pop("content-type", "application/json")
        answer = send(client, "POST", "/api/events", {**sent, **token}, data=body, content_type=kind)
        assert answer.status_code < 500, answer.content[:300]
        told = answer.json()
        if "results" in told:
            assert len(told["results"]) == told["accepted"] + told["rejected"]
            assert all(one["error"] for one in told["results"] if one["status"] == "rejected")

    ask()
