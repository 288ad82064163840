from collections.abc import Iterator
from typing import Any

import pytest
import redis as redis_client
from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.test import Client

from dlq import intake
from dlq.models import DeadLetter, Status
from eventhub.access.models import AuditEntry, Scope
from eventhub.access.tokens import create_token
from eventhub.brokers.models import Source
from tests.dlq.letters import broken, service_failure

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def redis() -> Iterator[Any]:
    client = redis_client.Redis.from_url(settings.REDIS_URL)
    client.delete("shop.orders")
    yield client
    client.delete("shop.orders")
    client.close()


@pytest.fixture
def letter(shop_dead_letters: Source) -> DeadLetter:
    with transaction.atomic():
        intake.record(shop_dead_letters, [service_failure(1)])
    return DeadLetter.objects.get()


def with_token(scope: Scope) -> Client:
    return Client(headers={"authorization": f"Bearer {create_token('robot', scope)}"})


def post(client: Client, path: str, data: Any = None) -> Any:
    return client.post(path, data=data or {}, content_type="application/json")


def test_letters_are_listed_by_status_a_page_at_a_time(shop: Source, letter: DeadLetter) -> None:
    with transaction.atomic():
        intake.record(shop, [broken(n) for n in range(5)])
    client = with_token(Scope.READ)

    seen, cursor = [], ""
    while True:
        page = client.get(f"/api/dead-letters?status=open&limit=2&cursor={cursor}").json()
        seen += [item["id"] for item in page["items"]]
        if not (cursor := page["next_cursor"] or ""):
            break
    assert seen == list(DeadLetter.objects.order_by("-pk").values_list("pk", flat=True))

    assert len(client.get("/api/dead-letters?reason=service").json()["items"]) == 1
    assert len(client.get("/api/dead-letters?source=shop").json()["items"]) == 5
    assert len(client.get("/api/dead-letters?event_type=order.paid").json()["items"]) == 1
    assert len(client.get("/api/dead-letters?correlation_id=order-1").json()["items"]) == 1
    assert client.get("/api/dead-letters?status=discarded").json() == {"items": [], "next_cursor": None}
    assert client.get("/api/dead-letters?cursor=nonsense").status_code == 400
    assert client.get("/api/dead-letters?limit=0").status_code == 422


def test_groups_are_listed_the_loudest_first(shop: Source, letter: DeadLetter) -> None:
    with transaction.atomic():
        intake.record(shop, [broken(n) for n in range(5)])
    client = with_token(Scope.READ)
    page = client.get("/api/dead-letter-groups?status=open&limit=1").json()
    assert [(group["open"], group["source"]) for group in page["items"]] == [(5, "shop")]
    rest = client.get(f"/api/dead-letter-groups?status=open&cursor={page['next_cursor']}").json()
    assert [group["title"] for group in rest["items"]] == [
        "CarrierTimeout: The carrier did not answer in … s for order …"
    ]


def test_one_letter_tells_everything_and_its_body_is_raw(letter: DeadLetter) -> None:
    client = with_token(Scope.READ)
    found = client.get(f"/api/dead-letters/{letter.pk}").json()
    assert found["event_id"] == "evt-1"
    assert found["topic"] == "shop.orders"
    assert found["headers"]["dlq-group"] == "shipping"
    assert found["stack"].startswith("Traceback")
    assert client.get(f"/api/dead-letters/{letter.pk}/body").content == bytes(letter.body)
    assert client.get("/api/dead-letters/99999999999999999999").status_code == 404


def test_a_script_retries_once_and_is_told_when_it_was_sent_already(letter: DeadLetter, redis: Any) -> None:
    client = with_token(Scope.OPERATE)
    path = f"/api/dead-letters/{letter.pk}/retry"

    first = post(client, path)
    assert (first.status_code, first.json()["status"]) == (200, "sent")
    second = post(client, path)
    assert second.status_code == 409
    assert "outcome is awaited" in second.json()["detail"]
    assert redis.xlen("shop.orders") == 1
    assert AuditEntry.objects.get(action="retry").actor == "token robot"
    assert post(client, "/api/dead-letters/77/retry").status_code == 404


def test_a_broker_that_cannot_be_reached_is_a_502_with_its_words(
    letter: DeadLetter, shop_dead_letters: Source
) -> None:
    shop_dead_letters.config = {"streams": ["shop.dead-letters"], "url": "redis://127.0.0.1:1/0"}
    shop_dead_letters.save()
    answer = post(with_token(Scope.OPERATE), f"/api/dead-letters/{letter.pk}/retry")
    assert answer.status_code == 502
    assert "could not be sent" in answer.json()["detail"]


def test_discarding_needs_a_reason_and_can_be_undone(letter: DeadLetter) -> None:
    client = with_token(Scope.OPERATE)
    path = f"/api/dead-letters/{letter.pk}"

    assert post(client, f"{path}/discard", {"reason": "  "}).status_code == 422
    assert post(client, f"{path}/discard").status_code == 422
    assert post(client, f"{path}/discard", {"reason": "test data"}).json()["status"] == "discarded"
    assert post(client, f"{path}/discard", {"reason": "again"}).status_code == 409
    assert "Reopen it first" in post(client, f"{path}/retry").json()["detail"]
    assert post(client, f"{path}/reopen").json()["status"] == "open"
    letter.refresh_from_db()
    assert (letter.status, letter.closed_note) == (Status.OPEN, "")


def test_who_may_only_read_is_told_so(letter: DeadLetter) -> None:
    assert post(with_token(Scope.READ), f"/api/dead-letters/{letter.pk}/retry").status_code == 403
    assert post(Client(), f"/api/dead-letters/{letter.pk}/retry").status_code == 401
    viewer = Client()
    viewer.force_login(User.objects.create_user("viewer"))
    refused = post(viewer, f"/api/dead-letters/{letter.pk}/retry")
    assert refused.status_code == 403
    assert "you need the role “operator”" in refused.json()["detail"]
