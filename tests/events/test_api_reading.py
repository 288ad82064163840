import pytest

from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from tests.traces.building import event, store

pytestmark = pytest.mark.django_db


@pytest.fixture
def get(client):
    headers = {"Authorization": f"Bearer {create_token('tests', Scope.READ)}"}
    return lambda **params: client.get("/api/events", params, headers=headers)


def ids(answer):
    assert answer.status_code == 200, answer.content
    return [item["event_id"] for item in answer.json()["items"]]


def test_an_event_comes_with_its_whole_envelope(get):
    store(
        event(
            "a",
            data={"n": 1},
            causation_id="z",
            stream="order-1",
            stream_version=4,
            origin_topic="shop.orders",
        )
    )
    (item,) = get(event_id="a").json()["items"]
    assert item["data"] == {"n": 1}
    assert item["stream_version"] == 4
    assert item["causation_id"] == "z"
    assert item["occurred_at"] == "2026-03-04T12:00:00Z"
    assert item["origin"]["topic"] == "shop.orders"
    assert item["position"] > 0
    assert item["recorded_at"]


def test_a_correlation_is_paged_by_cursor(get):
    store(*(event(f"e{number}") for number in range(5)))
    first = get(correlation_id="c-1", limit=3)
    second = get(correlation_id="c-1", limit=3, cursor=first.json()["next_cursor"])
    assert ids(first) + ids(second) == ["e0", "e1", "e2", "e3", "e4"]
    assert second.json()["next_cursor"] is None


def test_a_type_is_paged_by_cursor(get):
    store(*(event(f"e{number}", seconds=number) for number in range(5)), event("x", "other"))
    first = get(event_type="order.placed", limit=3)
    second = get(event_type="order.placed", limit=3, cursor=first.json()["next_cursor"])
    assert ids(first) + ids(second) == ["e4", "e3", "e2", "e1", "e0"]


def test_all_events_come_the_newest_first(get):
    store(*(event(f"e{number}") for number in range(3)))
    first = get(limit=2)
    assert ids(first) == ["e2", "e1"]
    assert ids(get(limit=2, cursor=first.json()["next_cursor"])) == ["e0"]


def test_the_log_can_be_followed_for_ever(get):
    store(event("a"), txid=10)
    first = get(order="oldest")
    assert ids(first) == ["a"]
    assert ids(get(order="oldest", cursor=first.json()["next_cursor"])) == []
    store(event("b"), txid=11)
    assert ids(get(order="oldest", cursor=first.json()["next_cursor"])) == ["b"]


@pytest.mark.parametrize(
    "params",
    [
        {"event_id": "a", "correlation_id": "b"},
        {"event_id": ""},
        {"correlation_id": "a\x00"},
        {"correlation_id": "c", "order": "oldest"},
        {"cursor": "nonsense"},
        {"limit": 0},
        {"limit": 501},
        {"order": "sideways"},
        {"limit": "many"},
    ],
)
def test_what_cannot_be_read_is_refused_and_says_what_to_do(get, params):
    answer = get(**params)
    assert answer.status_code in (400, 422)
    assert answer.json()["detail"]


def test_nothing_found_is_an_empty_page(get):
    assert get(event_id="nothing").json() == {"items": [], "next_cursor": None}


def test_without_a_token_it_is_401(client):
    assert client.get("/api/events").status_code == 401
