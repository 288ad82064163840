"""What an attacker tries first: markup in every field, JSON without a bottom, requests without a token of their own."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.test import Client

from dlq.models import DeadLetter
from eventhub.access.models import Role, Scope
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import Message
from eventhub.events.models import Event
from eventhub.ingest.pipeline import Pipeline
from eventhub.pages.middleware import POLICY
from tests.access.people import browser, person, script
from tests.access.test_matrix import PAGE_ADDRESSES, ask, sample

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).parents[2]
PRODUCTION = {
    "HTTPS": "1",
    "SECRET_KEY": "a-long-key-of-production-0123456789-abcdefghijklmnopqrstuvwxyz",
    "SECRETS_KEYS": Fernet.generate_key().decode(),
    "DATABASE_URL": "postgresql://eventhub@localhost/eventhub",
    "PATH": "/usr/bin:/bin",
}
ASKS = """
import json, django
django.setup()
from django.conf import settings
names = ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SECURE_HSTS_SECONDS",
         "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_SSL_REDIRECT", "SECURE_CONTENT_TYPE_NOSNIFF", "X_FRAME_OPTIONS",
         "DEBUG", "OUTGOING_PRIVATE", "SESSION_COOKIE_SAMESITE")
print(json.dumps({name: getattr(settings, name) for name in names}))
"""


def in_production(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = PRODUCTION | {"VAR_DIR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "eventhub.settings"}
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_deployment_check_finds_nothing_in_production_settings(tmp_path: Path) -> None:
    done = in_production(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING")
    assert done.returncode == 0, done.stdout + done.stderr


def test_cookies_and_headers_in_production(tmp_path: Path) -> None:
    found = json.loads(in_production(tmp_path, "-c", ASKS).stdout)
    assert found == {
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SESSION_COOKIE_HTTPONLY": True,
        "SECURE_HSTS_SECONDS": 31_536_000,
        "SECURE_HSTS_INCLUDE_SUBDOMAINS": True,
        "SECURE_SSL_REDIRECT": True,
        "SECURE_CONTENT_TYPE_NOSNIFF": True,
        "X_FRAME_OPTIONS": "DENY",
        "DEBUG": False,
        "OUTGOING_PRIVATE": False,
        "SESSION_COOKIE_SAMESITE": "Lax",
    }


def test_the_policy_allows_nothing_inline_and_nothing_from_elsewhere() -> None:
    assert "unsafe" not in POLICY
    assert "http" not in POLICY
    answer = browser(person(Role.VIEWER)).get("/traces/")
    assert answer["Content-Security-Policy"] == POLICY
    assert not re.search(rb"<script(?![^>]*\bsrc=)(?![^>]*application/json)|\son\w+=|<style", answer.content)


def test_what_changes_anything_wants_a_csrf_token_wherever_a_session_is_enough() -> None:
    client = Client(enforce_csrf_checks=True, raise_request_exception=False)
    client.force_login(person(Role.ADMINISTRATOR))
    unguarded = [
        route
        for pattern, route in PAGE_ADDRESSES
        if ask(client, "POST", sample(route)).status_code not in (403, 405)
        and pattern.name not in ("sso-callback",)
    ]
    assert unguarded == []
    assert client.post("/api/sources/x/pause").status_code in (401, 403)


DEEP = '{"event_type": "a.b", "data": ' + "[" * 100_000 + "]" * 100_000 + "}"


def test_json_without_a_bottom_is_refused_by_the_api_in_words() -> None:
    Source.objects.get_or_create(name="http", defaults={"kind": Kind.HTTP})
    answer = browser().post("/api/events", DEEP, "application/json", headers=script(Scope.INGEST))
    assert answer.status_code == 400
    assert answer.json()["results"][0]["error"] == "TooDeep"
    bare = "[" * 100_000
    assert browser().post(
        "/api/replays", bare, "application/json", headers=script(Scope.OPERATE)
    ).status_code in (
        400,
        422,
    )


def test_json_without_a_bottom_from_a_broker_becomes_a_dead_letter_and_blocks_nobody() -> None:
    source = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["shop"]})
    good = b'{"event_id": "ok", "event_type": "a.b", "timestamp": "2026-11-24T10:00:00Z"}'
    messages = [
        Message(body=body, topic="shop", offset=str(n), origin_key=f"redis:shop/{n}")
        for n, body in enumerate([DEEP.encode(), good])
    ]
    pipeline = Pipeline(source)
    pipeline.write(pipeline.prepare(messages))
    assert Event.objects.get().event_id == "ok"
    letter = DeadLetter.objects.get()
    assert letter.error_class == "TooDeep"
    assert bytes(letter.body) == DEEP.encode()
    page = browser(person(Role.VIEWER)).get(f"/dead-letters/{letter.pk}/")
    assert page.status_code == 200


def test_a_compressed_body_is_refused_before_it_is_unpacked() -> None:
    Source.objects.get_or_create(name="http", defaults={"kind": Kind.HTTP})
    answer = browser().post(
        "/api/events",
        b"\x1f\x8b" + b"\x00" * 100,
        "application/json",
        headers=script(Scope.INGEST) | {"content-encoding": "gzip"},
    )
    assert answer.status_code == 415


MARK = "zq9"
MARKUP = f"<img src=x onerror={MARK}>\"'><script>{MARK}</script>{{{{7*7}}}}{{% debug %}}"


@pytest.fixture
def marked_event() -> None:
    source = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["shop"]})
    body = {
        "event_id": f"id {MARKUP}",
        "event_type": f"type {MARKUP}",
        "event_version": f"v {MARKUP}",
        "timestamp": "2026-11-24T10:00:00Z",
        "data": {f"key {MARKUP}": f"value {MARKUP}", "list": [MARKUP]},
        "metadata": {
            "source": f"service {MARKUP}",
            "correlation_id": f"trace {MARKUP}",
            "causation_id": f"cause {MARKUP}",
            "stream": f"stream {MARKUP}",
            "stream_version": 1,
            f"else {MARKUP}": MARKUP,
        },
    }
    headers: dict[str, Any] = {f"header {MARKUP}": MARKUP}
    pipeline = Pipeline(source)
    messages = [
        Message(json.dumps(body).encode(), f"topic {MARKUP}", "1", "redis:shop/1", headers),
        Message(f"no json {MARKUP}".encode(), f"topic {MARKUP}", "2", "redis:shop/2", headers),
    ]
    pipeline.write(pipeline.prepare(messages))
    assert Event.objects.count() == 1
    assert DeadLetter.objects.count() == 1


def test_markup_in_every_field_of_an_event_is_text_on_every_page(marked_event: None) -> None:
    client = browser(person(Role.ADMINISTRATOR))
    letter = DeadLetter.objects.get()
    event = Event.objects.get()
    from django.urls import reverse

    pages = [
        *(
            "/",
            "/traces/",
            "/dead-letters/",
            "/event-types/",
            "/streams/",
            "/map/",
            "/processes/",
            "/sources/shop/",
        ),
        f"/dead-letters/{letter.pk}/",
        f"/dead-letters/{letter.pk}/body/?view=text",
        reverse("event", args=[event.event_id]),
        reverse("trace", args=[event.correlation_id]),
        reverse("event-type", args=[event.event_type]),
        reverse("stream", args=[event.stream]),
    ]
    shown = 0
    for page in pages:
        answer = client.get(page)
        assert answer.status_code in (200, 404), page
        text = answer.content.decode()
        shown += MARK in text
        assert f"<script>{MARK}" not in text, page
        assert not re.search(rf"<img[^>]*onerror={MARK}", text), page
        assert "49" not in re.findall(rf"{MARK}&lt;/script&gt;([^{{<&]*)", text), page
    assert shown >= 6
