"""A source's secrets are on no page, in no answer of the API, in no log and in no row of the database."""

import json
import logging
import re

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.urls import URLPattern, URLResolver, get_resolver

from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.config import read_config
from eventhub.brokers.models import Kind, Source
from eventhub.brokers.secrets import scrubbing
from eventhub.ingest.loop import SourceLoop
from eventhub.ingest.supervisor import Supervisor
from monitoring.lag.sources import asking

# A word of each, so that a test that finds one says which.
SECRETS = {
    "password": "one-vErY-pRiVaTe",
    "client_key": "-----BEGIN PRIVATE KEY-----\ntwovErYpRiVaTe\n-----END PRIVATE KEY-----\n",
    "registry_password": "three-vErY-pRiVaTe",
    "settings": "four-vErY-pRiVaTe",
    "url": "five-vErY-pRiVaTe",
}
WORDS = [re.compile("(one|two|three|four|five)-?vErY-?pRiVaTe")]
HTMX = {"HX-Request": "true"}


@pytest.fixture
def sources(transactional_db) -> list[Source]:
    kafka = {
        "bootstrap_servers": "127.0.0.1:1",
        "topics": ["orders"],
        "security": "sasl_plaintext",
        "sasl_mechanism": "PLAIN",
        "username": "ann",
        "password": SECRETS["password"],
        "client_key": SECRETS["client_key"],
        "registry_url": f"http://ann:{SECRETS['registry_password']}@127.0.0.1:1",
        "settings": {"client.rack": "a", "ssl.keystore.password": SECRETS["settings"]},
    }
    redis = {"streams": ["orders"], "url": f"redis://ann:{SECRETS['url']}@127.0.0.1:1/0"}
    return [
        Source.objects.create(name="kafka-shop", kind=Kind.KAFKA, config=kafka),
        Source.objects.create(name="redis-shop", kind=Kind.REDIS, config=redis),
    ]


def told(text: str) -> list[str]:
    return [found[0] for word in WORDS for found in word.finditer(text)]


def addresses(patterns, prefix="") -> list[str]:
    """Every address of the product, as Django's resolver writes it."""
    found = []
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += addresses(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            found.append(path)
    return found


def pages_about(source: Source) -> list[str]:
    """The addresses that need nothing but this source, or nothing at all."""
    found = set()
    for address in addresses(get_resolver().url_patterns):
        path = re.sub(r"<(?:slug|str|path):name>|<name>", source.name, address)
        path = re.sub(r"<path:object_id>|<int:pk>|<pk>", str(source.pk), path)
        path = re.sub(r"<slug:kind>", source.kind, path)
        path = path.replace("^", "").replace("$", "").replace("\\Z", "")
        if not re.search(r"[<>(]", path):
            found.add(f"/{path}")
    return sorted(found)


def test_no_page_and_no_answer_tells_a_secret(client, sources):
    fail(sources)
    client.force_login(User.objects.create_superuser("ada"))
    token = create_token("t", Scope.CONFIGURE)
    asked = 0
    for source in sources:
        for path in pages_about(source):
            if path in ("/logout/", "/admin/logout/"):
                continue
            for headers in ({}, HTMX, {"Authorization": f"Bearer {token}"}):
                response = client.get(path, headers=headers)
                asked += response.status_code == 200
                content = b"".join(response) if response.streaming else response.content
                assert told(content.decode(errors="replace")) == [], path
    assert asked > 40
    assert {f"/sources/{s.name}/edit/" for s in sources} <= {p for s in sources for p in pages_about(s)}


@pytest.mark.parametrize("do", ["test", "peek", "preview", "suggest", "paste", "save", "nonsense"])
def test_no_button_of_the_form_tells_a_secret(client, sources, do):
    client.force_login(User.objects.create_superuser("ada"))
    for source in sources:
        page = client.get(f"/sources/{source.name}/edit/").content.decode()
        answers = fields_of(page) | {"do": do}
        entered = answers | {"config-password": SECRETS["password"]}
        for sent in (answers, entered):
            for headers in ({}, HTMX):
                response = client.post(f"/sources/{source.name}/edit/", sent, headers=headers)
                assert told(response.content.decode()) == []


def fields_of(page: str) -> dict[str, str]:
    """What a browser would send back of a form."""
    found = {}
    for tag in re.findall(r"<input[^>]*>", page):
        attributes = dict(re.findall(r'(\w+)="([^"]*)"', tag))
        if attributes.get("type") not in ("radio", "checkbox") or " checked" in tag:
            found[attributes.get("name", "")] = attributes.get("value", "")
    return found | dict(re.findall(r'<textarea[^>]*name="([^"]*)"[^>]*>\n?(.*?)</textarea>', page, re.S))


def test_the_api_tells_no_secret_when_it_is_written_to(client, sources):
    token = create_token("t", Scope.CONFIGURE)

    def ask(verb, path, body):
        response = getattr(client, verb)(
            f"/api{path}",
            data=json.dumps(body),
            content_type="application/json",
            headers={"Authorization": f"Bearer {token}"},
        )
        assert told(response.content.decode()) == [], path

    for source in sources:
        config = source.config | {"password": SECRETS["password"]}
        ask("patch", f"/sources/{source.name}?untested=true", {"config": config, "role": "nonsense"})
        ask("patch", f"/sources/{source.name}?untested=true", {"config": config})
        ask("post", f"/sources/{source.name}/test", {})
        ask("post", f"/sources/{source.name}/preview", {})
        draft = {"kind": source.kind, "config": config, "like": source.name}
        ask("post", "/source-drafts/test", draft)
        ask("post", "/source-drafts/preview", draft)
        ask("post", "/source-drafts/preview", draft | {"kind": [SECRETS["password"]]})


def fail(sources: list[Source]) -> None:
    """Let a worker and the lag's task fail with each source, as they do with a broker that is not there."""
    supervisor = Supervisor("ingest@test")
    for source in Source.objects.filter(pk__in=[s.pk for s in sources]):
        loop = SourceLoop(source, "ingest@test")
        for secret in SECRETS.values():
            loop._note_failure(ConnectionError(f"cannot log in with {secret} at http://ann:{secret}@host"))
        supervisor._loops[source.pk] = loop
    supervisor._write_statuses()
    asking.sample()


def test_no_log_line_and_no_row_tells_a_secret(sources, capfd):
    handler = logging.getLogger().handlers[0]
    stream = logging.StreamHandler()  # writes where the test looks
    stream.setFormatter(handler.formatter)
    assert isinstance(stream.formatter, scrubbing.Formatter)
    logging.getLogger("eventhub").addHandler(stream)
    try:
        for source in Source.objects.all():
            read_config(source)
        fail(sources)
    finally:
        logging.getLogger("eventhub").removeHandler(stream)
    out, err = capfd.readouterr()
    assert "failed and begins again" in err
    assert told(out + err) == []
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        for table in tables:
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            assert [told(row[0]) for row in cursor.fetchall() if told(row[0])] == [], table
