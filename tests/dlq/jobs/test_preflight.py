import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from dlq import intake
from dlq.edits import drafting, editing
from dlq.filter import Filter
from dlq.jobs import preflight as looking
from dlq.jobs.findings import Destination, Facts, judge
from dlq.jobs.options import Options
from dlq.jobs.preflight import preflight
from dlq.jobs.selection import of_filter, of_letters
from dlq.models import DeadLetter, RedirectRule
from eventhub.brokers.adapter import Place
from eventhub.brokers.models import Source
from eventhub.events.message import Message
from eventhub.ingest.pipeline import Pipeline
from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion, ValidationMode
from tests.dlq.jobs.driven import come_back
from tests.dlq.letters import broken
from tests.dlq.sending import ANNA, send_again

pytestmark = pytest.mark.django_db(transaction=True)
Died = Callable[..., list[DeadLetter]]


def warnings(letters: list[DeadLetter], **options: Any) -> list[str]:
    look = preflight(of_letters([letter.pk for letter in letters]), Options(**options))
    return [finding.text for finding in look.warnings]


def test_one_letter_is_told_in_one_sentence(died: Died, redis: Any) -> None:
    redis.xgroup_create("shop.orders", "shipping", mkstream=True)
    [letter] = died(1)
    look = preflight(of_letters([letter.pk]), Options())
    assert look.sentence == "Publishes to stream shop.orders (Redis Streams), same event id, attempt 4."
    assert look.findings == []


def test_a_place_that_is_not_there_or_that_nobody_reads_is_said(died: Died, redis: Any) -> None:
    letters = died(1)
    [warning] = warnings(letters)
    assert warning.startswith("Stream shop.orders (Redis Streams) is not there.")
    redis.xadd("shop.orders", {"body": "{}"})
    [warning] = warnings(letters)
    assert warning == "Nobody reads stream shop.orders (Redis Streams) now: what is sent there waits."


def test_a_broker_that_cannot_be_reached_is_a_warning_and_holds_nobody_up(
    died: Died, shop_dead_letters: Source
) -> None:
    letters = died(1)
    shop_dead_letters.config = {"streams": ["x"], "url": "redis://127.0.0.1:1/0"}
    shop_dead_letters.save()
    [warning] = warnings(letters)
    assert "could not be looked at: Redis cannot be reached" in warning


def test_a_payload_that_breaks_todays_schema_is_said_with_the_first_breach(died: Died, redis: Any) -> None:
    redis.xgroup_create("shop.orders", "shipping", mkstream=True)
    letters = died(3)
    order_paid = EventType.objects.create(name="order.paid", validation=ValidationMode.WARN)
    SchemaVersion.objects.create(
        event_type=order_paid,
        version="1",
        status=SchemaStatus.ACTIVE,
        schema={"type": "object", "properties": {"amount": {"type": "string"}}},
    )
    [warning] = warnings(letters)
    assert warning.startswith("None of the 3 looked into fits today's schema: $.amount: 49.5 is not of type")


@pytest.mark.parametrize(
    ("original", "edited", "fits"), [("number", "string", False), ("string", "number", True)]
)
def test_of_an_edited_letter_the_edit_is_held_against_todays_schema(
    died: Died, shop_dead_letters: Source, original: str, edited: str, fits: bool
) -> None:
    shop_dead_letters.config = {
        "streams": ["x"],
        "url": "redis://127.0.0.1:1/0",
    }  # so that the edit stays here
    shop_dead_letters.save()
    values = {"number": 49.5, "string": "much"}
    [letter] = died(1)
    text = drafting.begin(letter).text.replace("49.5", json.dumps(values[original]))
    DeadLetter.objects.update(body=text.encode())
    letter.refresh_from_db()
    draft = drafting.begin(letter)
    repaired = msgspec.structs.replace(
        draft, text=draft.text.replace(json.dumps(values[original]), json.dumps(values[edited]))
    )
    edit = editing.save(letter.pk, repaired, "", ANNA).edit
    kind = EventType.objects.create(name="order.paid", validation=ValidationMode.WARN)
    schema = {"type": "object", "properties": {"amount": {"type": "number"}}}
    SchemaVersion.objects.create(event_type=kind, version="1", status=SchemaStatus.ACTIVE, schema=schema)

    look = preflight(of_letters([letter.pk]), Options(), ask_brokers=False)

    unfit = [finding.text for finding in look.warnings if "schema" in finding.text]
    assert (unfit == []) is fits
    assert look.sentence == (
        f"Publishes the edit by anna to stream shop.orders (Redis Streams), as event {edit.event_id}, attempt 5."
    )


def test_what_the_service_has_processed_since_is_said(died: Died, redis: Any, shop: Source) -> None:
    redis.xgroup_create("shop.orders", "shipping", mkstream=True)
    done, other = died(2)
    DeadLetter.objects.filter(pk=done.pk).update(status="open")
    at = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    receipt = {
        "event_id": "receipt-1",
        "event_type": "eventhub.delivery.succeeded",
        "timestamp": at,
        "data": {"event_id": done.event_id, "service": "shipping"},
        "metadata": {"source": "shipping", "correlation_id": done.correlation_id},
    }
    pipeline = Pipeline(shop)
    message = Message(json.dumps(receipt).encode(), "shop.orders", "1-0", "redis:shop.orders/1-0")
    pipeline.write(pipeline.prepare([message]))
    # The receipt closed the letter; somebody reopened it.
    DeadLetter.objects.filter(pk=done.pk).update(status="open")
    [warning] = warnings([done, other])
    assert warning == "1 of these events were processed since by the service that gave up on them."


def test_letters_that_came_back_before_are_said_with_how_often(
    died: Died, redis: Any, shop_dead_letters: Source
) -> None:
    redis.xgroup_create("shop.orders", "shipping", mkstream=True)
    [letter] = died(1)
    send_again(letter.pk)
    come_back(shop_dead_letters, letter)
    [warning] = warnings([letter])
    assert warning == "It was retried before and came back once. Has the cause been repaired?"


def test_a_redirect_in_force_is_said_with_its_reason(died: Died, redis: Any) -> None:
    redis.xgroup_create("shop.orders.v2", "shipping", mkstream=True)
    [letter] = died(1)
    RedirectRule.objects.create(
        pattern="shop.orders", to_topic="shop.orders.v2", why="renamed in May", created_by="olga"
    )
    look = preflight(of_letters([letter.pk]), Options())
    assert [finding.text for finding in look.notes] == [
        "Stream shop.orders.v2 (Redis Streams) is where it is redirected to, by a redirect rule of olga: renamed in "
        "May."
    ]
    [destination] = preflight(of_letters([letter.pk]), Options(redirect_to="shop.orders")).destinations
    assert destination.words == "stream shop.orders (Redis Streams)"


def test_many_letters_cost_as_many_statements_as_few_and_are_counted(
    died: Died, redis: Any, shop: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "LOOKED_AT", 20)
    died(5)
    wanted = of_filter(Filter(source="shop-dead-letters"))
    with CaptureQueriesContext(connection) as few:
        preflight(wanted, Options(), ask_brokers=False)
    died(60)
    with transaction.atomic():
        intake.record(shop, [broken(n) for n in range(5)])
    with CaptureQueriesContext(connection) as many:
        look = preflight(wanted, Options(), ask_brokers=False)
    assert (look.count, len(look.going), look.is_sample) == (65, 20, True)
    assert len(many) <= len(few) + 1
    assert preflight(wanted, Options(stop_at=30), ask_brokers=False).count == 30


def test_findings_are_decided_from_facts_alone_the_gravest_first() -> None:
    gone = Destination(
        "topic orders (Kafka)", 3, Place(exists=False, note="Topics are not made by themselves here.")
    )
    facts = Facts(looked_at=3, destinations=[gone], returned=2, most_returns=4, uncertain=1)
    found = judge(facts)
    assert [finding.level for finding in found] == ["warn", "warn", "warn", "note"]
    assert found[0].text == "Topic orders (Kafka) is not there. Topics are not made by themselves here."
    assert found[2].text == (
        "2 were retried before and came back, up to 4 times. Has the cause been repaired?"
    )
    assert judge(Facts(looked_at=1)) == []
