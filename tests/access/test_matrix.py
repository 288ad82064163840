"""Every address as every role and as nobody. The addresses come from the URL configuration and the OpenAPI document,
what is expected from `eventhub.access.rules` and `tests.access.api_table`: a new one without a line fails here."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.apps import apps
from django.contrib import admin
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from eventhub.access.models import Role, Scope
from eventhub.access.roles import OF_SCOPE, RANKS
from eventhub.access.rules import PAGES, Door, Rule
from eventhub.access.tokens import INCLUDES
from eventhub.api import api
from eventhub.schemas.registry import answers
from monitoring.live import latest
from monitoring.live.routing import websocket_urlpatterns
from tests.access.api_table import API
from tests.access.api_table import FOR_ADMINISTRATORS as OPERATIONS_FOR_ADMINISTRATORS
from tests.access.people import browser, person, script

pytestmark = pytest.mark.django_db

METHODS = ("GET", "POST", "DELETE")
SAMPLES = {"int": "987654", "slug": "nothing", "str": "nothing", "path": "nothing", "anytext": "nothing"}
WEBSOCKETS = {"ws/live/": Role.VIEWER}
# What a role may change in the admin; the models of these apps are for administrators, all others for editors.
FOR_ADMINISTRATORS = {"auth", "access", "axes"}


@pytest.fixture(autouse=True)
def a_snapshot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes one closes the connection to the database, and with it the test's transaction."""
    monkeypatch.setattr(latest, "_text", "{}")
    monkeypatch.setattr(latest, "_noted_at", float("inf"))


def addresses() -> Iterator[tuple[URLPattern, str]]:
    """Every address of the URL configuration but those of the admin and the API, with its route."""

    def walk(resolver: Any, prefix: str) -> Iterator[tuple[URLPattern, str]]:
        for pattern in resolver.url_patterns:
            if isinstance(pattern, URLResolver):
                if pattern.namespace is None:
                    yield from walk(pattern, prefix + str(pattern.pattern))
            else:
                yield pattern, prefix + str(pattern.pattern)

    return walk(get_resolver(), "")


def sample(route: str) -> str:
    """An address of this route that leads to nothing that is there."""
    if route.startswith("^") or "(?P" in route:
        route = route.replace("^", "").replace("$", "")
        route = re.sub(r"\(\?P<\w+>([a-z-]+)\|[^)]*\)", r"\1", route)
        route = re.sub(r"\(\?P<\w+>\\d\+\)", SAMPLES["int"], route)
        return "/" + re.sub(r"\(\?P<\w+>[^)]*\)", "nothing", route)
    return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda found: SAMPLES[found.group(1) or "str"], route)


PAGE_ADDRESSES = [
    (pattern, route)
    for pattern, route in addresses()
    if not route.startswith("registry/") and route != "admin/login/"
]


def ask(client: Client, method: str, address: str, **more: Any) -> HttpResponse:
    """One request; within a transaction its effects are undone."""
    if not connection.in_atomic_block:
        return client.generic(method, address, **more)  # type: ignore[return-value]
    before = transaction.savepoint()
    answer = client.generic(method, address, **more)
    transaction.set_rollback(False)
    transaction.savepoint_rollback(before)
    return answer  # type: ignore[return-value]


def is_refused(answer: HttpResponse) -> bool:
    return answer.status_code == 403


def wants_login(answer: HttpResponse) -> bool:
    return answer.status_code == 302 and "/login/" in answer["Location"]


def test_every_page_has_a_rule() -> None:
    unruled = sorted(route for pattern, route in PAGE_ADDRESSES if (pattern.name or "") not in PAGES)
    assert not unruled, f"Add a line for these to PAGES in eventhub/access/rules.py: {unruled}"
    named = {pattern.name for pattern, _ in PAGE_ADDRESSES} | {"components"}
    assert not set(PAGES) - named, "Lines in PAGES that no page has any more"


def test_what_changes_anything_for_others_needs_more_than_seeing() -> None:
    for_viewers = {
        name for name, rule in PAGES.items() if isinstance(rule, Rule) and rule.write == Role.VIEWER
    }
    assert for_viewers == {
        "search-save",
        "search-forget",
        "dead-letter-filters",
        "dead-letter-filter-forget",
        "first-steps-see",
        "first-steps-put-away",
    }


@pytest.mark.django_db(transaction=True)  # a retry job wants to be committed
@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_pages(role: Role | None, settings: Any) -> None:
    settings.DEFAULT_ROLE = ""
    client = browser(person(role))
    wrong = []
    for pattern, route in PAGE_ADDRESSES:
        rule = PAGES.get(pattern.name or "")
        if not isinstance(rule, Rule) or pattern.name == "components":
            continue
        for method in METHODS:
            needed = rule.role(method)
            answer = ask(client, method, sample(route))
            if needed is None:
                if answer.status_code != 405:
                    wrong.append((method, route, answer.status_code, "not taken"))
                continue
            allowed = role is not None and RANKS[role] >= RANKS[needed]
            if is_refused(answer) == allowed or answer.status_code >= 500 or wants_login(answer):
                wrong.append((method, route, answer.status_code, "allowed" if allowed else "refused"))
    assert not wrong


def test_pages_as_nobody() -> None:
    client = browser()
    wrong = []
    for pattern, route in PAGE_ADDRESSES:
        rule = PAGES.get(pattern.name or "")
        for method in METHODS:
            answer = ask(client, method, sample(route))
            match rule:
                case Door.PUBLIC:
                    is_right = answer.status_code in (200, 302, 404, 405, 503)
                case Door.OWN:
                    is_right = answer.status_code in (401, 403, 405)
                case _:
                    is_right = wants_login(answer)
            if not is_right:
                wrong.append((method, route, answer.status_code))
    assert not wrong


def operations() -> Iterator[tuple[str, str, str]]:
    """Every operation of the OpenAPI document: its line in the table, method, an address of it."""
    for path, methods in api.get_openapi_schema(path_prefix="/api/")["paths"].items():
        for method, operation in methods.items():
            address = path
            for parameter in operation.get("parameters", []):
                if parameter["in"] == "path":
                    schema = parameter["schema"]
                    value = SAMPLES["int"] if schema.get("type") == "integer" else "nothing"
                    value = (schema.get("enum") or [schema.get("const") or value])[0]
                    address = address.replace("{" + parameter["name"] + "}", value)
            yield f"{method.upper()} {path}", method.upper(), address


OPERATIONS = list(operations())


def test_every_operation_of_the_api_has_a_line() -> None:
    told = {line for line, _, _ in OPERATIONS}
    assert not told - set(API), "Add a line for these to tests/access/api_table.py"
    assert not set(API) - told, "Lines of operations that are no more"


def call(client: Client, method: str, address: str, **headers: Any) -> HttpResponse:
    body = {} if method == "GET" else {"data": b"[]", "content_type": "application/json"}
    return ask(client, method, address, **body, **headers)


@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_api_by_session(role: Role | None, settings: Any) -> None:
    settings.DEFAULT_ROLE = ""
    client = browser(person(role))
    wrong = []
    for line, method, address in OPERATIONS:
        needed = OF_SCOPE.get(API[line], Role.EDITOR)
        if line in OPERATIONS_FOR_ADMINISTRATORS:
            needed = Role.ADMINISTRATOR
        allowed = role is not None and RANKS[role] >= RANKS[needed]
        answer = call(client, method, address)
        if is_refused(answer) == allowed or answer.status_code == 401 or answer.status_code >= 500:
            wrong.append((line, answer.status_code, answer.content[:80]))
    assert not wrong


@pytest.mark.parametrize("scope", Scope, ids=str)
def test_api_by_token(scope: Scope) -> None:
    client, headers = browser(), script(scope)
    wrong = []
    for line, method, address in OPERATIONS:
        needed = API[line]
        allowed = needed == scope or needed in INCLUDES.get(scope, set())
        answer = call(client, method, address, headers=headers)
        if is_refused(answer) == allowed or answer.status_code == 401 or answer.status_code >= 500:
            wrong.append((line, answer.status_code, answer.content[:80]))
    assert not wrong


def test_api_as_nobody() -> None:
    client = browser()
    wrong = [line for line, method, address in OPERATIONS if call(client, method, address).status_code != 401]
    assert not wrong


@pytest.mark.parametrize("scope", [*Scope, None], ids=str)
def test_registry(scope: Scope | None) -> None:
    client, headers = browser(), script(scope) if scope else {}
    routes = [route for _, route in addresses() if route.startswith("registry/")]
    assert len(routes) > 10
    for route in routes:
        for method in ("GET", "POST", "PUT", "DELETE"):
            status = ask(client, method, sample(route), data=b"{}", headers=headers).status_code
            if status == 405:
                continue
            changes = method != "GET" and not (
                "compatibility" in route or (method == "POST" and route.endswith("subject>"))
            )
            if scope is None:
                expected = {401}
            elif changes and scope != Scope.CONFIGURE:
                expected = {403}
            else:
                expected = {200, 404, 422}
            assert status in expected, (method, route, status)
    assert answers.CHANGING


@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_admin(role: Role | None) -> None:
    client = browser(person(role))
    wrong = []
    for model in admin.site._registry:
        meta = model._meta
        base = f"/admin/{meta.app_label}/{meta.model_name}/"
        needed = Role.ADMINISTRATOR if meta.app_label in FOR_ADMINISTRATORS else Role.EDITOR
        allowed = role is not None and RANKS[role] >= RANKS[needed]
        for address in (base, f"{base}987654/change/"):
            answer = ask(client, "GET", address)
            refused = is_refused(answer) or wants_login(answer)
            if refused == allowed or answer.status_code >= 500:
                wrong.append((address, answer.status_code))
        for address in (f"{base}add/", f"{base}987654/delete/"):
            answer = ask(client, "GET", address)
            if not allowed and not (is_refused(answer) or wants_login(answer)):
                wrong.append((address, answer.status_code))
    assert not wrong


def test_admin_as_nobody() -> None:
    client = browser()
    for model in admin.site._registry:
        for tail in ("", "add/", "1/change/", "1/delete/", "1/history/"):
            answer = ask(client, "GET", f"/admin/{model._meta.app_label}/{model._meta.model_name}/{tail}")
            assert wants_login(answer), (model, tail)


def test_every_model_of_the_admin_belongs_to_a_known_app() -> None:
    from eventhub.access.groups import EDITED_APPS

    known = FOR_ADMINISTRATORS | set(EDITED_APPS) | {"rollups"}
    labels = {model._meta.app_label for model in admin.site._registry}
    assert labels <= known, "Say in eventhub/access/groups.py who may change these"
    assert all(apps.is_installed(apps.get_app_config(label).name) for label in EDITED_APPS)


def test_every_websocket_has_a_line() -> None:
    assert {str(pattern.pattern) for pattern in websocket_urlpatterns} == set(WEBSOCKETS)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("role", [*Role, None], ids=str)
def test_websockets(role: Role | None, settings: Any) -> None:
    settings.DEFAULT_ROLE = ""
    user = person(role)
    for pattern in websocket_urlpatterns:
        path = str(pattern.pattern)
        closed_with = async_to_sync(_closed_with)(pattern.callback, path, user)
        allowed = role is not None and RANKS[role] >= RANKS[WEBSOCKETS[path]]
        assert (closed_with is None) == allowed
        assert allowed or closed_with == 4403


async def _closed_with(application: Any, path: str, user: Any) -> int | None:
    """The close code that answers the handshake; None when the connection stays open."""
    scope = {"type": "websocket", "path": f"/{path}", "headers": [], "subprotocols": [], "user": user}
    socket = ApplicationCommunicator(application, scope)
    await socket.send_input({"type": "websocket.connect"})
    assert (await socket.receive_output(timeout=5))["type"] == "websocket.accept"
    message = await socket.receive_output(timeout=5)
    if message["type"] == "websocket.send":
        await socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await socket.wait(timeout=5)
        return None
    code: int = message["code"]
    return code
