"""Marked fields, planted in everything that holds payloads, and looked for on every page, in every answer of the API
and in every export, as who may not see them; and by an editor, to know that they would have been found."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from urllib.parse import quote, urljoin, urlsplit

import pytest
from django.contrib.auth.models import Permission
from django.urls import Resolver404, resolve
from django.utils import timezone

from dlq.models import DeadLetter
from eventhub.access.models import AuditEntry, Role
from eventhub.api import api
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import Message
from eventhub.events.models import MutatedDuplicate
from eventhub.handlers import running
from eventhub.handlers.errors import PermanentError
from eventhub.ingest.pipeline import Pipeline
from eventhub.sagas.models import Instance
from eventhub.schemas.models import (
    EventType,
    PersonalField,
    SchemaStatus,
    SchemaVersion,
    Treatment,
    ValidationMode,
)
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.sealing import known_keys
from eventhub.sourcing.appending import New, append
from eventhub.traces.models import SearchableAttribute
from monitoring.live import latest
from monitoring.review import running as review
from tests.access.people import browser, person
from tests.handlers.conftest import handles  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db(transaction=True)

NOW = timezone.now()
TYPE = "customer.signed_up"
EMAIL, PHONE, NAME = "zoe.planted@example.org", 4930555017744, "Zoe Plantagenet"
PLANTED = re.compile("zoe.{1,6}planted|4930555017744|Plantagenet|sealed:1:", re.I)
MARKS = {"$.email": Treatment.MASK, "$.contact.phone": Treatment.ENCRYPT, "$.names[*]": Treatment.MASK}
SCHEMA = {
    "type": "object",
    "properties": {
        "email": {"type": "string", "maxLength": 40},
        "contact": {"properties": {"phone": {"type": "integer"}}},
        "names": {"type": "array"},
    },
}
LOOSER = {**SCHEMA, "required": ["tier"]}
# Of addresses that lead to the same view, so many are looked at.
MOST_OF_A_VIEW = 4


def signed_up(number: int, **data: object) -> dict[str, object]:
    return {
        "event_id": f"e-{number}",
        "event_type": TYPE,
        "event_version": "1",
        "timestamp": (NOW + timedelta(milliseconds=number)).isoformat(),
        "data": {"id": number, "email": EMAIL, "contact": {"phone": PHONE}, "names": [NAME]} | data,
        "metadata": {"source": "accounts", "correlation_id": f"c-{number // 10}", "stream": "customer-7"},
    }


def send(*events: dict[str, object]) -> None:
    source, _ = Source.objects.get_or_create(
        name="shop", defaults={"kind": Kind.REDIS, "config": {"streams": ["s"]}}
    )
    pipeline = Pipeline(source)
    messages = [
        Message(
            json.dumps(event).encode(), "s", str(n), f"s/{event['event_id']}/{n}", timestamp=timezone.now()
        )
        for n, event in enumerate(events)
    ]
    pipeline.write(pipeline.prepare(messages))


@pytest.fixture
def planted(handles, monkeypatch):  # noqa: F811
    """Events, dead letters, streams, sagas, findings … of a type with marked fields."""
    monkeypatch.setattr(latest, "_text", "{}")
    monkeypatch.setattr(latest, "_noted_at", float("inf"))
    event_type = EventType.objects.create(name=TYPE, default_version="1", validation=ValidationMode.WARN)
    for path, treatment in MARKS.items():
        PersonalField.objects.create(event_type=event_type, path=path, treatment=treatment)
    for version, schema, upcast in (("1", SCHEMA, None), ("2", LOOSER, {"defaults": {"tier": "new"}})):
        SchemaVersion.objects.create(
            event_type=event_type, version=version, status=SchemaStatus.ACTIVE, schema=schema, upcast=upcast
        )
    SearchableAttribute.objects.create(event_type=event_type, name="mail", path="email")
    SearchableAttribute.objects.create(event_type=event_type, name="customer", path="id")
    fields.forget()
    known_keys.forget()

    @handles(TYPE, name="greet")
    def greet(event):
        raise PermanentError(f"cannot greet {event.value['names'][0]} <{event.value['email']}> {event.value}")

    send(*(signed_up(n) for n in range(1, 13)))
    send(signed_up(30, email=[EMAIL], contact={"phone": f"{PHONE}"}), signed_up(1, tier="another"))
    EventType.objects.update(validation=ValidationMode.ENFORCE)
    send(signed_up(31, email=[EMAIL]), signed_up(32, names=NAME, contact={"phone": f"{PHONE}"}))
    while running.run("greet"):
        pass
    append("customer-7", [New(TYPE, {"email": EMAIL, "names": [NAME], "contact": {"phone": PHONE}})] * 3)
    Instance.objects.create(
        saga="welcome", version=1, key="7", correlation_id="c-0", data={"to": EMAIL, "words": f"Dear {NAME}"}
    )
    review.run(settle_s=0)
    assert DeadLetter.objects.filter(event_type=TYPE).count() >= 3


def found_as(role: Role) -> tuple[list[str], Counter[str]]:
    """The addresses at which something planted is read, and how many of each view were looked at."""
    client, looked, leaks = browser(person(role)), Counter[str](), []
    waiting, known = list(beginnings()), set(beginnings())
    while waiting:
        address = waiting.pop(0)
        answer = client.get(address)
        text = b"".join(answer).decode(errors="replace")
        assert answer.status_code < 500, (address, text[:300])
        if answer.status_code in (301, 302):
            text = f'href="{answer["Location"]}"'
        elif PLANTED.search(text.replace(quote(EMAIL), "").replace("\\u0040", "@")):
            leaks.append(address)
        for link in links(address, text):
            view = view_of(link)
            if view and link not in known and looked[view] < MOST_OF_A_VIEW:
                known.add(link)
                looked[view] += 1
                waiting.append(link)
    return leaks, looked


def links(address: str, text: str) -> Iterator[str]:
    for found in re.findall(r'(?:href|hx-get|data-url|data-src|src)="([^"#]+)', text):
        yield urlsplit(urljoin(address, unescape(found)))._replace(scheme="", netloc="", fragment="").geturl()


def view_of(address: str) -> str:
    """Which view an address leads to; empty for what is no page, or belongs to the admin."""
    path = urlsplit(address).path
    if path.startswith(("/static/", "/admin/", "/login", "/logout")):
        return ""
    try:
        return resolve(path).view_name or resolve(path).route
    except Resolver404:
        return ""


def beginnings() -> Iterator[str]:
    letters = list(DeadLetter.objects.filter(event_type=TYPE).order_by("pk")[:3])
    yield from (
        "/", "/traces/", "/dead-letters/", "/dead-letters/edits/", "/sources/", "/lag/", "/handlers/", "/streams/",
        "/projections/", "/replays/", "/sagas/", "/review/", "/review/report/", "/event-types/", "/map/", "/processes/",
        "/alerts/", "/figures/", "/live-snapshot", "/catalogue/asyncapi.json", "/events/e-1/", "/events/e-30/",
        f"/event-types/{TYPE}/", f"/catalogue/drift/{TYPE}/?version=1", "/streams/customer-7/", "/traces/?loose=1",
        "/traces/c-0/?event=e-1", "/traces/c-0/?tab=events", "/traces/c-0/?tab=sequence", "/traces/c-0/?tab=flow",
        "/traces/c-0/?tab=compare&with=c-1", "/searches/complete?word=mail:zoe", "/searches/complete?word=zoe",
    )  # fmt: skip
    for letter in letters:
        own = f"/dead-letters/{letter.pk}/"
        yield from (own, f"{own}body/", f"{own}body/?view=text", f"{own}body/?view=hex", f"{own}raw/")
    yield from operations([letter.pk for letter in letters])


def operations(letters: list[int]) -> Iterator[str]:
    """Every operation of the API that reads, with what there is."""
    ids = {
        "correlation_id": ["c-0"], "name": ["customer-7", "greet", "shop"], "letter_id": letters,
        "group_id": list(DeadLetter.objects.values_list("group_id", flat=True).distinct()),
        "pk": [*Instance.objects.values_list("pk", flat=True), 1], "start_type": [TYPE],
    }  # fmt: skip
    more = {
        "/api/events": ["?event_id=e-1", "?correlation_id=c-0", f"?event_type={TYPE}", "?order=oldest"],
        "/api/events/{event_id}": [], "/api/export": [f"?correlation_id=c-0&form={form}" for form in ("json", "otlp")],
        "/api/compare": ["?left=c-0&right=c-1"], "/api/streams/{name}/diff": ["?from=1"],
    }  # fmt: skip
    for path, methods in api.get_openapi_schema(path_prefix="/api/")["paths"].items():
        if "get" not in methods:
            continue
        names = re.findall(r"{(\w+)}", path)
        for value in ids.get(names[0], [1]) if names else [""]:
            for query in more.get(path, [""]) or [""]:
                yield re.sub(r"{\w+}", str(value), path) + query


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR], ids=str)
def test_what_is_marked_comes_out_nowhere(planted, role):
    leaks, looked = found_as(role)
    assert not leaks
    assert {"trace", "event", "dead-letter", "stream", "saga", "review-finding", "handler"} <= looked.keys()
    assert not AuditEntry.objects.filter(action="see personal data").exists()


def test_an_editor_finds_it_and_is_noted(planted):
    leaks, _ = found_as(Role.EDITOR)
    views = {view_of(address) for address in leaks}
    assert {"event", "trace", "stream", "saga", "dead-letter-raw", "event-type", "schema-drift"} <= views
    assert any(address.startswith("/api/streams/customer-7/state") for address in leaks)
    assert AuditEntry.objects.filter(action="see personal data").exists()


def test_what_came_again_with_other_content_is_masked_in_the_admin_too(planted):
    reader = person(Role.VIEWER)
    reader.is_staff = True
    reader.save()
    reader.user_permissions.add(Permission.objects.get(codename="view_mutatedduplicate"))
    address = f"/admin/events/mutatedduplicate/{MutatedDuplicate.objects.get().pk}/change/"
    assert "another" in (masked := browser(reader).get(address).content.decode())
    assert not PLANTED.search(masked)
    assert PLANTED.search(browser(person(Role.EDITOR)).get(address).content.decode())


def test_nobody_finds_events_by_it_who_may_not_see_it(planted):
    for word in (EMAIL, f"text:{EMAIL}", f"mail:{EMAIL}", NAME.split()[1]):
        answer = browser(person(Role.VIEWER, f"viewer {word}")).get("/api/traces", {"q": word})
        assert answer.json()["items"] == [], word
    assert browser(person(Role.EDITOR)).get("/api/traces", {"q": EMAIL}).json()["items"]
    viewer = browser(person(Role.VIEWER))
    assert not viewer.get("/api/dead-letters", {"attribute": f"email={EMAIL}"}).json()["items"]
