import pytest

from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from tests.traces.building import event, order, receipt, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def get(client):
    headers = {"Authorization": f"Bearer {create_token('tests', Scope.READ)}"}
    return lambda url, **params: client.get(url, params, headers=headers)


def test_a_trace_comes_as_a_tree_with_its_deliveries(get, dead_letter):
    store(*order(1), receipt("order-1-paid", "billing", correlation_id="order-1"))
    dead_letter("order-1", "order-1-shipped")
    trace = get("/api/traces/order-1").json()
    assert trace["state"] == "dead"
    assert trace["story"].startswith("order 1 · 3 events")
    assert [(step["event_id"], step["depth"], step["cause"]) for step in trace["steps"]] == [
        ("order-1-placed", 0, None),
        ("order-1-paid", 1, "order-1-placed"),
        ("order-1-shipped", 2, "order-1-paid"),
    ]
    assert trace["steps"][1]["deliveries"][0]["service"] == "billing"
    assert trace["steps"][2]["dead_letters"][0]["failed_in"] == "shipping"
    assert trace["steps"][0]["event"]["data"] == {"order_id": 1}


def test_an_unknown_trace_is_404_and_says_why(get):
    answer = get("/api/traces/no/such")
    assert answer.status_code == 404
    assert "no/such" in answer.json()["detail"]


def test_traces_are_searched_and_paged(get):
    store(*(one for number in range(5) for one in order(number)))
    first = get("/api/traces", limit=3).json()
    assert len(first["items"]) == 3
    second = get("/api/traces", limit=3, cursor=first["next_cursor"]).json()
    assert [item["number"] for item in first["items"] + second["items"]] == ["4", "3", "2", "1", "0"]
    assert second["next_cursor"] is None
    assert get("/api/traces", q="order-3").json()["items"][0]["number"] == "3"


@pytest.mark.parametrize(
    "params",
    [{"cursor": "x"}, {"state": "bad"}, {"limit": 0}, {"min_s": "x"}, {"q": "\x00"}, {"since": "soon"}],
)
def test_what_cannot_be_read_is_refused_with_a_reason(get, params):
    answer = get("/api/traces", **params)
    assert 400 <= answer.status_code < 500
    assert answer.json()["detail"]


def test_event_types_come_with_their_traffic(get):
    store(*order(1), event("x", "order.cancelled"))
    items = get("/api/event-types").json()["items"]
    assert [item["name"] for item in items] == [
        "order.cancelled",
        "order.placed",
        "payment.captured",
        "shipment.sent",
    ]
    page = get("/api/event-types", limit=1).json()
    rest = get("/api/event-types", limit=10, cursor=page["next_cursor"]).json()
    assert [item["name"] for item in page["items"] + rest["items"]] == [item["name"] for item in items]


def test_a_token_to_send_events_may_not_read(client):
    headers = {"Authorization": f"Bearer {create_token('tests', Scope.INGEST)}"}
    assert client.get("/api/traces", headers=headers).status_code == 403
