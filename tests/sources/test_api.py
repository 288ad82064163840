"""Sources over the API: added, changed, tested, previewed; secrets go in and never come out."""

import json

import pytest
from django.contrib.auth.models import User

from dlq import intake
from eventhub.access.models import AuditEntry, Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.config import read_config
from eventhub.brokers.configs import CONFIGS
from eventhub.brokers.models import Kind, Source
from tests.dlq.letters import broken

pytestmark = pytest.mark.django_db
PASSWORD = "vErY-pRiVaTe"
REDIS = {"name": "shop", "kind": "redis", "config": {"streams": ["orders"]}}
GUARDED = {"streams": ["orders"], "url": f"redis://ann:{PASSWORD}@127.0.0.1:1/0"}


@pytest.fixture
def api(client):
    """Asks as a script with a token of the scope `configure`, or of another."""
    tokens = {}

    def ask(verb, path, body=None, scope=Scope.CONFIGURE):
        token = tokens.setdefault(scope, create_token(f"t-{scope}", scope))
        send = getattr(client, verb)
        arguments = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
        return send(f"/api{path}", headers={"Authorization": f"Bearer {token}"}, **arguments)

    return ask


def test_a_source_is_added_read_changed_and_deleted(api):
    assert api("post", "/sources", REDIS).status_code == 201
    found = api("get", "/sources/shop", scope=Scope.READ).json()
    assert (found["config"], found["secrets"], found["enabled"]) == ({"streams": ["orders"]}, [], True)
    changed = api("patch", "/sources/shop", {"enabled": False, "mapping": {"event_type": "body.kind"}})
    assert changed.json()["mapping"] == {"event_type": "body.kind"}
    assert changed.json()["config"] == {"streams": ["orders"]}
    assert api("delete", "/sources/shop").status_code == 204
    assert api("get", "/sources/shop").status_code == 404
    assert [e.action for e in AuditEntry.objects.order_by("at")] == ["create", "change", "delete"]


def test_what_is_wrong_is_said_by_field(api):
    wrong = {"name": "a b", "kind": "redis", "config": {"streams": "orders"}, "mapping": {"data": "body.["}}
    response = api("post", "/sources", wrong)
    assert response.status_code == 422
    assert set(response.json()["errors"]) == {"name", "config.streams", "mapping.data"}
    assert "list of stream names" in response.json()["detail"]


def test_a_connection_that_does_not_work_is_saved_only_on_demand(api):
    body = REDIS | {"config": {"streams": ["a"], "url": "redis://127.0.0.1:1/0"}}
    response = api("post", "/sources", body)
    assert response.status_code == 422
    assert "refused" in response.json()["detail"]
    assert api("post", "/sources?untested=true", body).status_code == 201


def test_secrets_are_written_kept_replaced_and_removed_and_never_read(api):
    added = api("post", "/sources?untested=true", REDIS | {"config": GUARDED})
    assert added.status_code == 201
    assert added.json()["secrets"] == ["password"]
    assert added.json()["config"]["url"] == "redis://ann@127.0.0.1:1/0"
    for response in (added, api("get", "/sources/shop"), api("get", "/sources")):
        assert PASSWORD not in response.content.decode()
    config = added.json()["config"]
    api("patch", "/sources/shop?untested=true", {"config": config | {"streams": ["a", "b"]}})
    assert read_config(Source.objects.get()).password == PASSWORD
    api("patch", "/sources/shop?untested=true", {"secrets": {"password": "another-one"}})
    assert read_config(Source.objects.get()).password == "another-one"
    removed = api("patch", "/sources/shop?untested=true", {"secrets": {"password": None}})
    assert removed.json()["secrets"] == []
    assert PASSWORD not in json.dumps([e.detail for e in AuditEntry.objects.all()])


def test_a_kept_secret_is_not_sent_elsewhere(api):
    api("post", "/sources?untested=true", REDIS | {"config": GUARDED})
    moved = {"streams": ["orders"], "url": "redis://ann@elsewhere.invalid/0"}
    response = api("patch", "/sources/shop?untested=true", {"config": moved})
    assert response.status_code == 422
    assert "Enter it again" in response.json()["errors"]["secrets.password"]
    draft = {"kind": "redis", "config": moved, "like": "shop"}
    assert api("post", "/source-drafts/test", draft).status_code == 422


def test_connections_are_tested_saved_or_not(api):
    api("post", "/sources", REDIS)
    assert api("post", "/sources/shop/test", scope=Scope.OPERATE).json()["ok"] is True
    draft = {"kind": "redis", "config": {"streams": ["a"], "url": "redis://127.0.0.1:1/0"}}
    report = api("post", "/source-drafts/test", draft).json()
    assert (report["ok"], report["problem"]) == (False, "refused")
    assert report["advice"]


def test_messages_are_previewed_saved_or_not(api, stream, write):
    write(stream, b'{"kind": "order-paid"}', b'{"event_type": "order.placed", "event_id": "e-1"}')
    draft = {"kind": "redis", "config": {"streams": [stream]}}
    items = api("post", "/source-drafts/preview", draft).json()["items"]
    assert [(item["verdict"], item["kind"]) for item in items] == [("event", ""), ("letter", "NotAnEvent")]
    assert items[0]["event"]["event_id"] == "e-1"
    assert items[1]["body"] == '{"kind": "order-paid"}'
    mapped = api("post", "/source-drafts/preview?count=2", draft | {"mapping": {"event_type": "body.kind"}})
    assert [item["verdict"] for item in mapped.json()["items"]] == ["event", "event"]
    api("post", "/sources", REDIS | {"config": {"streams": [stream]}})
    assert len(api("post", "/sources/shop/preview?count=1").json()["items"]) == 1
    unreachable = {"kind": "redis", "config": {"streams": ["a"], "url": "redis://127.0.0.1:1/0"}}
    assert api("post", "/source-drafts/preview", unreachable).status_code == 502


def test_each_kind_says_what_it_needs(api):
    kinds = {one["kind"]: one for one in api("get", "/source-kinds", scope=Scope.READ).json()}
    assert set(kinds) == set(CONFIGS)
    keys = {key["name"]: key for key in kinds["kafka"]["keys"]}
    assert keys["bootstrap_servers"]["needed"]
    assert keys["password"]["secret"]


@pytest.mark.parametrize(
    ("verb", "path", "body"),
    [
        ("post", "/sources", REDIS),
        ("patch", "/sources/shop", {}),
        ("delete", "/sources/shop", None),
        ("post", "/source-drafts/test", {"kind": "http"}),
        ("post", "/source-drafts/preview", {"kind": "http"}),
    ],
)
def test_configuring_takes_a_token_for_it_or_a_person_who_may(api, client, verb, path, body):
    assert api(verb, path, body, scope=Scope.OPERATE).status_code == 403
    client.force_login(User.objects.create_user("vic"))
    arguments = {} if body is None else {"data": json.dumps(body), "content_type": "application/json"}
    response = getattr(client, verb)(f"/api{path}", **arguments)
    assert response.status_code == 403
    assert "Ask an administrator" in response.json()["detail"]


def test_a_source_with_dead_letters_stays(api):
    source = Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": ["orders"]})
    intake.record(source, [broken(1)])
    response = api("delete", "/sources/shop")
    assert response.status_code == 409
    assert "Switch it off" in response.json()["detail"]


def test_a_request_that_cannot_be_read_does_not_echo_a_secret(api):
    response = api("post", "/sources", {"name": 7, "kind": "redis", "config": f"password={PASSWORD}"})
    assert response.status_code == 422
    assert PASSWORD not in response.content.decode()
