"""What EventHub could not read is read again as its source reads messages now: stored, and sent to nobody."""

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import Client

from dlq import counts, rereading
from dlq.models import DeadLetter, Reason, Status
from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry, Scope
from eventhub.brokers.models import Kind, Source
from eventhub.events.message import Message
from eventhub.events.models import Event
from eventhub.ingest.pipeline import Pipeline
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion, ValidationMode
from tests.dlq.letters import order_paid
from tests.dlq.test_api import post, with_token

ADA = Actor("ada")

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def parcels(db: Any) -> Source:
    """A source whose messages are no events without a mapping, and three of its letters."""
    source = Source.objects.create(name="parcels", kind=Kind.REDIS, config={"streams": ["parcels"]})
    messages = [
        Message(
            body=json.dumps({"kind": "sent", "number": f"p-{n}"}).encode(),
            topic="parcels",
            offset=f"{n}-0",
            origin_key=f"redis:parcels/{n}-0",
        )
        for n in (1, 2)
    ]
    messages.append(Message(body=b"{ broken", topic="parcels", offset="3-0", origin_key="redis:parcels/3-0"))
    ingest(source, messages)
    assert DeadLetter.objects.filter(reason=Reason.UNDECODABLE).count() == 3
    return source


def ingest(source: Source, messages: list[Message]) -> None:
    pipeline = Pipeline(source)
    pipeline.write(pipeline.prepare(messages))


def mend(source: Source) -> None:
    source.mapping = {
        "event_type": "join('.', ['parcel', body.kind])",
        "event_id": "body.number",
        "data": "body",
    }
    source.save()


def test_a_mended_mapping_reads_what_was_kept(parcels: Source) -> None:
    numbers = list(DeadLetter.objects.order_by("pk").values_list("pk", flat=True))
    before = rereading.read_again(numbers, ADA)
    assert (before.done, len(before.refused)) == ([], 3)
    mend(parcels)

    closed = rereading.read_again(numbers, ADA)

    assert closed.done == numbers[:2]
    assert [refusal.letter_id for refusal in closed.refused] == numbers[2:]
    assert "JSON" in closed.refused[0].why
    assert sorted(Event.objects.values_list("event_id", "event_type")) == [
        ("p-1", "parcel.sent"),
        ("p-2", "parcel.sent"),
    ]
    assert counts.open_letters().letters == 1
    assert DeadLetter.objects.count() == 3
    letter = DeadLetter.objects.get(pk=numbers[0])
    assert (letter.status, letter.closed_by, letter.closed_note) == (Status.RESOLVED, "ada", rereading.NOTE)
    assert AuditEntry.objects.filter(action="read again", actor="ada").count() == 1
    assert "resolved already" in rereading.read_again(numbers[:1], ADA).refused[0].why


def test_what_is_stored_already_is_resolved_and_not_stored_twice(parcels: Source) -> None:
    mend(parcels)
    letter = DeadLetter.objects.order_by("pk")[0]
    with transaction.atomic():
        ingest(parcels, [Message(bytes(letter.body), "parcels", letter.offset, letter.origin_key)])
    assert rereading.read_again([letter.pk], ADA).done == [letter.pk]
    assert Event.objects.filter(event_id="p-1").count() == 1


def test_an_event_that_its_schema_refused_is_stored_when_the_schema_lets_it(shop: Source) -> None:
    strict = EventType.objects.create(name="order.paid", validation=ValidationMode.ENFORCE)
    SchemaVersion.objects.create(
        event_type=strict,
        version="1",
        status=SchemaStatus.ACTIVE,
        schema={"type": "object", "required": ["currency"]},
    )
    ingest(shop, [Message(order_paid("evt-9"), "shop.orders", "9-0", "redis:shop.orders/9-0")])
    letter = DeadLetter.objects.get(reason=Reason.INVALID)
    assert "currency" in rereading.read_again([letter.pk], ADA).refused[0].why
    EventType.objects.update(validation=ValidationMode.WARN)
    assert rereading.read_again([letter.pk], ADA).done == [letter.pk]
    assert Event.objects.filter(event_id="evt-9").exists()


def test_what_a_service_gave_up_on_is_not_repaired_by_reading(shop_dead_letters: Source) -> None:
    ingest(shop_dead_letters, [Message(order_paid(), "shop.dead-letters", "1-0", "redis:x/1-0")])
    letter = DeadLetter.objects.get()
    assert "a service gave up" in rereading.read_again([letter.pk], ADA).refused[0].why
    assert rereading.read_again([77], ADA).refused[0].why == "There is no dead letter 77."


def test_the_api_and_the_command_do_it(parcels: Source, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, broken = DeadLetter.objects.order_by("pk")
    client = with_token(Scope.OPERATE)
    assert post(client, f"/api/dead-letters/{first.pk}/read-again").status_code == 409
    mend(parcels)
    assert post(client, f"/api/dead-letters/{first.pk}/read-again").json()["status"] == "resolved"
    with pytest.raises(CommandError, match="Not all letters"):
        call_command("dlq", "read-again", "--source", "parcels")
    out, err = capsys.readouterr()
    assert "Stored 1, left as they were 1." in out
    assert f"#{broken.pk}" in err
    second.refresh_from_db()
    assert second.status == Status.RESOLVED


def test_the_page_says_that_it_can_be_read_now_and_does_it(parcels: Source) -> None:
    operator = Client()
    operator.force_login(User.objects.create_user("grace", is_staff=True))
    letter = DeadLetter.objects.order_by("pk")[0]
    assert "can read it now" not in operator.get(f"/dead-letters/{letter.pk}/").content.decode()
    mend(parcels)
    page = operator.get(f"/dead-letters/{letter.pk}/").content.decode()
    assert "Its source can read it now: parcel.sent" in page
    assert "Read again" in page
    operator.post("/dead-letters/read-again/", {"letter": letter.pk})
    letter.refresh_from_db()
    assert letter.status == Status.RESOLVED
