"""The pages and the API of streams and projections: what they say, and what can be done there."""

import pytest
from django.test import Client

from eventhub.access.models import AuditEntry, Scope
from eventhub.access.tokens import create_token
from eventhub.sourcing.appending import New, append
from eventhub.sourcing.projecting import rebuilding
from tests.sourcing.balances import balances_declared

pytestmark = pytest.mark.django_db(transaction=True)
HTMX = {"HX-Request": "true"}


@pytest.fixture
def browser(django_user_model):
    client = Client()
    client.force_login(django_user_model.objects.create_user("olga", is_staff=True))
    return client


@pytest.fixture
def moves(accounts):
    for amount in (100, -30, 50):
        append("account-7", New("account.moved", {"amount": amount}))
    append("order-1", New("order.placed", {"note": "<script>"}))


@pytest.fixture
def balances():
    with balances_declared() as declared:
        yield declared


def test_the_list_shows_the_streams_by_category_and_name(browser, moves):
    page = browser.get("/streams/").content.decode()
    assert "account-7" in page
    assert "order-1" in page
    assert "order-1" not in browser.get("/streams/?category=account").content.decode()
    assert "account-7" not in browser.get("/streams/?name=ord").content.decode()
    assert "No stream is called so" in browser.get("/streams/?name=zzz").content.decode()


def test_without_streams_the_list_says_how_to_begin_one(browser):
    assert "docs/streams.md" in browser.get("/streams/").content.decode()
    assert browser.get("/streams/nothing-1/").status_code == 404


def test_a_stream_shows_its_state_at_the_slider_and_what_changed(browser, moves):
    page = browser.get("/streams/account-7/").content.decode()
    assert 'max="3" value="3"' in page
    assert "State at version 3" in page
    part = browser.get("/streams/account-7/?version=2", headers=HTMX).content.decode()
    assert "<html" not in part
    assert "State at version 2" in part
    assert ">100</del>" in part
    assert ">70</ins>" in part
    assert "State at version 0" in browser.get("/streams/account-7/?version=0").content.decode()
    assert "State at version 3" in browser.get("/streams/account-7/?version=99").content.decode()
    assert "&lt;script&gt;" in browser.get("/streams/order-1/").content.decode()


def test_a_time_is_asked_for_and_a_wrong_one_is_told(browser, moves):
    assert (
        "State at version 0"
        in browser.get("/streams/account-7/?at=2020-01-01T00:00&by=recorded").content.decode()
    )
    assert "State at version 3" in browser.get("/streams/account-7/?at=2120-01-01T00:00").content.decode()
    assert "is no time" in browser.get("/streams/account-7/?at=yesterday").content.decode()


def test_a_projection_shows_where_it_is_stopped_and_can_skip(browser, moves, balances):
    append("account-7", New("account.moved", {}, event_id="the-bad-one"))
    rebuilding.follow(balances)
    page = browser.get("/projections/").content.decode()
    assert "the-bad-one" in page
    assert "KeyError" in page
    done = browser.post("/projections/balances/skip", headers=HTMX)
    assert "the-bad-one" not in done.content.decode()
    assert AuditEntry.objects.get().action == "skip"
    assert browser.post("/projections/nothing/pause").status_code == 404
    assert browser.post("/projections/balances/rebuild").status_code == 302


def test_who_may_only_watch_changes_nothing(django_user_model, balances):
    client = Client()
    client.force_login(django_user_model.objects.create_user("vera"))
    rebuilding.ensure(balances)
    assert client.post("/projections/balances/pause").status_code == 403
    assert "/projections/balances/" not in client.get("/projections/").content.decode()


@pytest.fixture
def call():
    def one(scope):
        secret = create_token("script", scope)
        return Client(headers={"Authorization": f"Bearer {secret}"})

    return one


def test_the_api_reads_and_appends(moves, call):
    read, write = call(Scope.READ), call(Scope.INGEST)
    assert [one["name"] for one in read.get("/api/streams").json()["items"]] == ["order-1", "account-7"]
    events = read.get("/api/streams/account-7/events?after=1").json()["items"]
    assert [one["stream_version"] for one in events] == [2, 3]
    backwards = read.get("/api/streams/account-7/events?backwards=true&limit=1").json()["items"]
    assert backwards[0]["stream_version"] == 3
    assert read.get("/api/streams/account-7/state?version=2").json()["value"]["balance"] == 70
    assert read.get("/api/streams/account-7/state?at=2020-01-01T00:00:00Z").json()["version"] == 0
    [change, _] = read.get("/api/streams/account-7/diff?from=1&to=3").json()["changes"][::-1][::-1]
    assert change["path"] in ("applied", "balance")
    assert read.get("/api/streams/none-1/state").status_code == 404
    body = {"events": [{"event_type": "account.moved", "data": {"amount": 1}}], "expected": 3}
    first = write.post("/api/streams/account-7/events", body, content_type="application/json")
    assert first.json()["version"] == 4
    second = write.post("/api/streams/account-7/events", body, content_type="application/json")
    assert (second.status_code, "is at version 4" in second.json()["detail"]) == (409, True)
    body["events"][0]["event_type"] = ""
    assert (
        write.post("/api/streams/account-7/events", body, content_type="application/json").status_code == 422
    )


def test_the_api_tells_how_projections_stand(moves, balances, call):
    rebuilding.follow(balances)
    [one] = call(Scope.READ).get("/api/projections").json()["items"]
    assert (one["name"], one["state"], one["behind"]) == ("balances", "running", 0)
    operate = call(Scope.OPERATE)
    assert operate.post("/api/projections/balances/pause").status_code == 204
    assert operate.post("/api/projections/balances/skip").status_code == 409
    assert operate.post("/api/projections/none/pause").status_code == 404
