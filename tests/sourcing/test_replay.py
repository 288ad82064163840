import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.test import Client

from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry, Role, Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.models import Kind, Source
from eventhub.sourcing import replaying
from eventhub.sourcing.appending import New, append
from eventhub.sourcing.models import Replay
from eventhub.sourcing.projecting import rebuilding
from eventhub.sourcing.replaying import BadReplay, Wanted
from tests.access.people import person
from tests.sourcing.balances import balances_declared

pytestmark = pytest.mark.django_db(transaction=True)
ANN = Actor("ann")
TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)


@pytest.fixture
def topic():
    name = f"replay-{uuid4().hex[:8]}"
    Source.objects.create(name="shop", kind=Kind.REDIS, config={"streams": [name], "url": settings.REDIS_URL})
    yield name
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        client.delete(name)


@pytest.fixture
def stored():
    for n in range(5):
        at = TEN + timedelta(minutes=n)
        append(
            f"account-{n % 2}", New("account.moved", {"amount": n}, occurred_at=at), correlation_id=f"c-{n}"
        )
    append("order-1", New("order.placed", {}))


def on(topic):
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        return [fields for _, fields in client.xrange(topic)]


def test_a_dry_run_counts_and_sends_nothing(topic, stored):
    found = replaying.plan(Wanted(target="topic", name=topic, source="shop", event_types=["account.*"]))
    assert (found.total, len(found.examples)) == (5, 5)
    assert on(topic) == []
    assert not Replay.objects.exists()


@pytest.mark.parametrize(
    ("fields", "amounts"),
    [
        ({"category": "account"}, [0, 1, 2, 3, 4]),
        ({"stream": "account-1"}, [1, 3]),
        ({"correlation_id": "c-2"}, [2]),
        ({"event_types": ["account.moved"], "since": TEN + timedelta(minutes=3)}, [3, 4]),
        ({"event_types": ["account.*"], "until": TEN + timedelta(minutes=1)}, [0]),
    ],
)
def test_what_fits_goes_to_the_topic_in_order_and_is_marked(topic, stored, fields, amounts):
    replay = replaying.start(Wanted(target="topic", name=topic, source="shop", **fields), ANN)
    append("account-0", New("account.moved", {"amount": 99}))  # comes later: not part of it
    replaying.advance()
    messages = on(topic)
    bodies = [json.loads(fields[b"body"]) for fields in messages]
    assert [body["data"]["amount"] for body in bodies] == amounts
    assert {fields[b"eventhub-replay"] for fields in messages} == {str(replay.pk).encode()}
    assert b"eventhub-replayed-at" in messages[0]
    assert bodies[0]["metadata"]["stream"].startswith("account-")
    replay.refresh_from_db()
    assert (replay.state, replay.sent, replay.total) == ("done", len(amounts), len(amounts))
    assert AuditEntry.objects.get().action == "replay"


def test_it_keeps_to_its_rate(topic, stored):
    replaying.start(Wanted(target="topic", name=topic, source="shop", per_s=2), ANN)
    replaying.advance(0.3)
    assert len(on(topic)) == 2
    replaying.advance(0.1)
    assert len(on(topic)) == 2  # its next second has not come
    Replay.objects.update(due_at=TEN)
    replaying.advance(0.1)
    assert len(on(topic)) == 4


def test_a_broker_that_is_away_is_waited_for(topic, stored):
    Source.objects.filter(name="shop").update(config={"streams": [topic], "url": "redis://127.0.0.1:1/0"})
    replaying.start(Wanted(target="topic", name=topic, source="shop"), ANN)
    replaying.advance(0.2)
    replay = Replay.objects.get()
    assert (replay.state, replay.sent, replay.reason != "") == ("running", 0, True)
    Source.objects.filter(name="shop").update(config={"streams": [topic], "url": settings.REDIS_URL})
    Replay.objects.update(due_at=TEN)
    replaying.advance(2)
    assert len(on(topic)) == 6


def test_a_cancelled_replay_sends_nothing_more(topic, stored):
    replay = replaying.start(Wanted(target="topic", name=topic, source="shop"), ANN)
    replaying.cancel(replay.pk, ANN)
    replaying.advance(0.2)
    assert on(topic) == []


def test_a_projection_takes_events_in_once_more(stored):
    with balances_declared() as balances:
        rebuilding.follow(balances)
        replaying.start(Wanted(target="projection", name="balances", stream="account-0"), ANN)
        replaying.advance()
        with connection.cursor() as cursor:
            cursor.execute("SELECT account, total FROM projection_balances ORDER BY 1")
            assert cursor.fetchall() == [("account-0", 12), ("account-1", 4)]


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Wanted(target="moon", name="x"), "Where to"),
        (Wanted(target="topic", name="x", source="none"), "no source 'none'"),
        (Wanted(target="projection", name="none"), "no projection"),
        (Wanted(target="topic", name="x", per_s=0), "rate"),
        (Wanted(target="topic", name="x", event_types=["a.#"]), "AMQP"),
        (Wanted(target="topic", name="x", since=TEN, until=TEN), "ends before"),
    ],
)
def test_what_cannot_be_meant_is_refused(wanted, words):
    with pytest.raises(BadReplay, match=words):
        replaying.plan(wanted)


def test_the_api_and_the_command_do_the_same(topic, stored, capsys):
    client = Client(headers={"Authorization": f"Bearer {create_token('script', Scope.OPERATE)}"})
    body = {"target": "topic", "name": topic, "source": "shop", "event_types": ["account.*"], "dry_run": True}
    assert client.post("/api/replays", body, content_type="application/json").json()["total"] == 5
    begun = client.post("/api/replays", body | {"dry_run": False}, content_type="application/json").json()
    assert begun["replay"]["state"] == "running"
    cancelled = client.post(f"/api/replays/{begun['replay']['id']}/cancel")
    assert cancelled.json()["state"] == "cancelled"
    bad = client.post("/api/replays", body | {"source": "none"}, content_type="application/json")
    assert bad.status_code == 422
    call_command("replay", "topic", topic, "--source", "shop", "--type", "account.*", "--dry-run")
    assert "5 events fit." in capsys.readouterr().out


@pytest.fixture
def browser():
    client = Client(headers={"HX-Request": "true"})
    client.force_login(person(Role.OPERATOR, "olga"))
    return client


def test_the_page_counts_first_then_replays_and_cancels(browser, topic, stored):
    assert "Nothing was replayed yet" in browser.get("/replays/").content.decode()
    form = {
        "target": "topic",
        "broker": "shop",
        "topic": topic,
        "event_types": "account.*, order.*",
        "per_s": "1",
    }
    counted = browser.get("/replays/new", form | {"dry_run": "1"}).content.decode()
    assert "<b>6</b> events would be sent" in counted
    assert not Replay.objects.exists()
    assert browser.post("/replays/new", form).headers["HX-Retarget"] == "#replays"
    replaying.advance(0.1)
    page = browser.get("/replays/").content.decode()
    assert "1 of 6" in page
    assert "account.*, order.*" in page
    replay = Replay.objects.get()
    assert "cancelled" in browser.post(f"/replays/{replay.pk}/cancel").content.decode()
    assert AuditEntry.objects.filter(actor="olga").count() == 2


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"target": "topic", "broker": "shop", "topic": ""}, "To which topic?"),
        (
            {"target": "topic", "broker": "shop", "topic": "t", "per_s": "many"},
            "The rate is &#x27;many&#x27;",
        ),
        ({"target": "topic", "broker": "shop", "topic": "t", "since": "soon"}, "write a time such as"),
        ({"target": "projection", "projection": ""}, "There is no projection"),
    ],
)
def test_a_form_that_cannot_be_meant_says_what_to_change_and_keeps_what_was_written(
    browser, topic, form, words
):
    answer = browser.post("/replays/new", form | {"stream": "account-1"})
    assert answer.status_code == 422
    page = answer.content.decode()
    assert words in page
    assert 'value="account-1"' in page
    assert not Replay.objects.exists()


def test_who_may_only_watch_begins_and_cancels_no_replay(topic, stored):
    replay = replaying.start(Wanted(target="topic", name=topic, source="shop"), ANN)
    client = Client()
    client.force_login(person(Role.VIEWER, "vera"))
    assert "Replay…" not in client.get("/replays/").content.decode()
    assert client.get("/replays/new").status_code == 403
    assert client.post(f"/replays/{replay.pk}/cancel").status_code == 403
