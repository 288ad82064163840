"""What each rule finds, on which service, and what it leaves alone."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.utils import timezone

from dlq.models import DeadLetter, DeadLetterGroup
from eventhub.brokers.models import Source
from eventhub.handlers.models import Attempt, Delivery, Handler
from eventhub.schemas.models import EventType, SchemaVersion
from eventhub.traces.models import Grain, Hop, HopKind
from monitoring.review import running
from monitoring.review.models import Finding, Severity
from monitoring.rollups.models import Rollup
from tests.monitoring.review.many import many
from tests.traces.building import START, at, event, receipt, store

pytestmark = pytest.mark.django_db


def delivery(from_type, from_service, to_service, count=1):
    hour = START.replace(minute=0)
    Hop.objects.create(
        kind=HopKind.DELIVERY, grain=Grain.HOUR, bucket=hour, from_type=from_type, from_service=from_service,
        to_service=to_service, count=count,
    )  # fmt: skip


def hop(from_type, from_service, to_type, to_service, count=1):
    hour = START.replace(minute=0)
    Hop.objects.create(
        kind=HopKind.HOP, grain=Grain.HOUR, bucket=hour, from_type=from_type, from_service=from_service,
        to_type=to_type, to_service=to_service, count=count,
    )  # fmt: skip


# -- event soup


def moved(number, fields=("street", "city", "postcode")):
    return [
        event(
            f"m{number}-{field}",
            f"customer.{field}_changed",
            number,
            source="crm",
            causation_id=f"cause{number}",
        )
        for field in fields
    ]


def test_soup_is_found_with_the_fields_of_one_event_and_the_saving(reviewed):
    store(*(one for number in range(4) for one in moved(number)), txid=10)
    [finding] = reviewed("event-soup")
    assert (finding.service, finding.subject, finding.n) == ("crm", "customer.*_changed", 4)
    assert "4 changes took 12 messages" in finding.detail
    assert "customer.changed with the fields city, postcode, street" in finding.advice
    assert "67% fewer" in finding.advice


def test_different_steps_of_an_entity_and_fields_that_change_on_their_own_are_no_soup(reviewed):
    store(
        *(event(f"o{n}-{what}", f"order.item_{what}", n, causation_id=f"c{n}") for n in range(5)
          for what in ("added", "removed", "priced")),
        *(one for number in range(5) for one in moved(number, ("street", "city"))),
        *(event(f"n{n}", f"user.{field}_changed", n, causation_id=f"x{n}") 
          for n, field in enumerate(("a", "b", "c", "d"))),
        txid=10,
    )  # fmt: skip
    assert reviewed("event-soup") == []


# -- commands by behaviour


def test_a_request_that_one_service_always_answers_is_a_command(reviewed):
    store(*many(30, "r", "label.print_requested", source="shop"), txid=10)
    delivery("label.print_requested", "shop", "printer", 30)
    hop("label.print_requested", "shop", "label.printed", "printer", 29)
    delivery("label.printed", "printer", "shop", 29)
    [finding] = reviewed("event-as-command")
    assert (finding.service, finding.subject) == ("shop", "label.print_requested")
    assert "printer answers 29 of 30 with label.printed, and shop waits for it" in finding.detail


def test_a_request_that_several_hear_or_nobody_waits_for_is_none(reviewed):
    store(*many(30, "r", "label.print_requested", source="shop"), txid=10)
    delivery("label.print_requested", "shop", "printer", 30)
    hop("label.print_requested", "shop", "label.printed", "printer", 29)
    assert reviewed("event-as-command") == []
    delivery("label.printed", "printer", "shop", 29)
    delivery("label.print_requested", "shop", "statistics", 30)
    assert reviewed("event-as-command") == []


# -- order


def numbered(stream, versions, seconds=0.0, **fields):
    return [
        event(f"{stream}-{version}", "shipment.moved", seconds, stream=stream, stream_version=version,
              source="shipping", **fields)
        for version in versions
    ]  # fmt: skip


def test_gaps_are_told_when_nothing_has_filled_them(reviewed):
    store(*(one for n in range(4) for one in numbered(f"s{n}", (1, 3))), txid=10)
    [finding] = reviewed("ignored-order")
    assert (finding.service, finding.subject, finding.n) == ("shipping", "gaps", 4)
    assert {proof["label"] for proof in finding.evidence} <= {f"s{n}-3" for n in range(4)}


def test_what_comes_later_on_the_same_topic_is_swapped_and_leaves_no_gap():
    fresh = {"recorded_at": timezone.now(), "origin_topic": "t"}
    store(*(one for n in range(4) for one in numbered(f"s{n}", (1, 3), **fresh)), txid=10)
    running.run(settle_s=0)
    store(*(one for n in range(4) for one in numbered(f"s{n}", (2,), **fresh)), txid=11)
    running.run(settle_s=0)
    found = Finding.objects.filter(rule="ignored-order", state="open")
    assert [(one.subject, one.n, one.severity) for one in found] == [("swaps", 4, Severity.FLAW)]


def test_streams_in_order_are_no_finding_over_several_pieces(reviewed):
    for version in range(1, 6):
        store(*(one for n in range(5) for one in numbered(f"s{n}", (version,), version)), txid=10 + version)
        assert reviewed("ignored-order") == []


def test_consumers_that_handle_a_younger_event_first(reviewed):
    store(*(one for n in range(4) for one in numbered(f"s{n}", (1, 2))), txid=10)
    store(
        *(receipt(f"s{n}-{version}", "tracker", 10 * n + second, event_type="shipment.moved")
          for n in range(4) for second, version in ((1, 2), (2, 1))),
        txid=11,
    )  # fmt: skip
    [finding] = reviewed("ignored-order")
    assert (finding.service, finding.subject, finding.n) == ("tracker", "handling", 4)


# -- names


def test_things_and_what_goes_on_are_named_and_facts_and_the_unclear_are_not(reviewed):
    names = (
        "order.status",
        "payment.processing",
        "CustomerAddressUpdate",
        "order.placed",
        "bestellung.aufgegeben",
    )
    store(*(event(name, name) for name in names), txid=10)
    found = {one.subject: one for one in reviewed("not-past-tense")}
    assert set(found) == set(names[:3])
    assert "CustomerAddressUpdated" in found["CustomerAddressUpdate"].advice


def test_three_styles_in_one_system(reviewed):
    store(
        event("a", "order.item_added"),
        event("b", "order.line_added"),
        event("c", "stock.level-changed"),
        txid=10,
    )
    assert reviewed("naming-drift") == []
    store(event("d", "CustomerMoved", source="crm"), txid=11)
    [finding] = reviewed("naming-drift")
    assert finding.service == ""
    assert finding.detail.startswith("Most are snake_case.")
    assert "CustomerMoved (crm)" in finding.detail


# -- payloads


def declare(name, style):
    EventType.objects.update_or_create(name=name, defaults={"style": style, "last_seen_at": START})


def test_fat_notifications_and_thin_state_transfers(reviewed):
    fat = {f"field{n}": n for n in range(20)}
    for name in ("payment.settled", "payment.noted"):
        store(*many(6, name, name, data=fat if name == "payment.settled" else {"id": 1}), txid=10)
        declare(name, "notification")
    for name in ("stock.counted", "stock.moved"):
        store(*many(6, name, name, data=fat if name == "stock.counted" else {"id": 1}), txid=11)
        declare(name, "state")
    found = {one.subject: one.title for one in reviewed("payload-style")}
    assert set(found) == {"payment.settled", "stock.moved"}
    assert "carries everything" in found["payment.settled"]
    assert "next to nothing" in found["stock.moved"]


def test_a_consumer_that_asks_back(reviewed):
    store(*many(10, "o", "order.placed", source="shop"), txid=10)
    hop("order.placed", "shop", "order.get_details", "billing", 9)
    delivery("order.get_details", "billing", "shop", 9)
    [finding] = reviewed("payload-style")
    assert (finding.service, finding.n, finding.of) == ("shop", 9, 10)
    assert "billing asks shop back" in finding.title


# -- schemas


def letter(source, **fields):
    group, _ = DeadLetterGroup.objects.get_or_create(
        fingerprint="f",
        defaults={"title": "AddressRejected", "reason": "service", "source": source, "first_seen_at": START},
    )
    values = {
        "group": group, "source": source, "reason": "service", "origin_key": f"k{DeadLetter.objects.count()}",
        "body": b"{}", "size_bytes": 2, "topic": "t", "event_type": "order.placed", "error_message": "no such postcode",
        "first_failed_at": START, "last_failed_at": START, **fields,
    }  # fmt: skip
    made = DeadLetter.objects.create(**values)
    DeadLetter.objects.filter(pk=made.pk).update(recorded_at=START)
    return made


@pytest.fixture
def source():
    return Source.objects.create(name="shop", kind="redis", config={"streams": ["shop"]})


def test_what_broke_its_schema_is_told_by_type_and_service(reviewed, source):
    Rollup.objects.create(
        grain=60, bucket=START, event_type="order.placed", service="shop", received=200, invalid=3
    )
    Rollup.objects.create(grain=60, bucket=START, event_type="order.paid", service="pay", received=200)
    letter(
        source,
        reason="invalid",
        event_type="profile.updated",
        event_source="crm",
        error_message="$.tier: no such",
    )
    found = {one.service: one for one in reviewed("schema-drift")}
    assert set(found) == {"shop", "crm"}
    assert (found["shop"].n, found["shop"].of, found["shop"].severity) == (3, 200, Severity.FLAW)
    assert (found["crm"].n, found["crm"].severity) == (1, Severity.BROKEN)
    assert "$.tier: no such" in found["crm"].detail


# -- retries


def test_hammering_failing_and_poison_are_found_and_a_few_retries_are_not(reviewed, source):
    store(*many(30, "o", "order.placed"), txid=10)
    attempts = [
        receipt(f"o{n}", "rec", 10 + attempt, ok=attempt == 7, event_type="order.placed", attempt=attempt)
        for n in range(2) for attempt in range(1, 8)
    ]  # fmt: skip
    failing = [receipt(f"o{n}", "mail", ok=n % 3 == 0, event_type="order.placed") for n in range(30)]
    usual = [receipt(f"o{n}", "pay", ok=n > 3, event_type="order.placed") for n in range(30)]
    store(*attempts, *failing, *usual, txid=11)
    letter(source, failed_in="shipping", returns=3)
    letter(source, failed_in="shipping", returns=1)
    found = {(one.service, one.subject.split()[0]): one for one in reviewed("retry-storms")}
    assert set(found) == {("rec", "order.placed"), ("mail", "order.placed"), ("shipping", "poison")}
    assert found["mail", "order.placed"].severity == Severity.BROKEN
    assert found["shipping", "poison"].n == 1


def attempts_of(name, event_type, numbers, *, tried):
    """Deliveries of a handler: each failed so often, and so many other attempts went well."""
    handler, _ = Handler.objects.get_or_create(name=name)
    for place, failures in enumerate(numbers):
        delivery = Delivery.objects.create(
            handler=handler,
            event_id=f"{name}-{place}",
            occurred_at=START,
            event_type=event_type,
            attempts=failures,
        )
        Attempt.objects.bulk_create(
            Attempt(
                delivery=delivery, handler=handler, number=number + 1, outcome="failed", ended_at=at(number),
                error_class="Timeout",
            )
            for number in range(failures)
        )  # fmt: skip
    Rollup.objects.create(
        grain=60, bucket=START, event_type=event_type, service=name, handled=tried, failed=sum(numbers)
    )


def test_the_hub_s_own_handlers_are_seen_hammering_and_failing_too(reviewed):
    attempts_of("reserve_stock", "order.placed", [7, 6], tried=500)
    attempts_of("write_invoice", "order.paid", [1] * 25, tried=5)
    attempts_of("send_mail", "order.placed", [3, 4, 2], tried=100)
    found = {(one.service, one.subject): one for one in reviewed("retry-storms")}
    assert set(found) == {("reserve_stock", "order.placed"), ("write_invoice", "order.paid")}
    storm = found["reserve_stock", "order.placed"]
    assert (storm.n, storm.of, storm.severity) == (13, 513, Severity.FLAW)
    assert "5 of them the fifth or later" in storm.detail
    assert {proof["label"] for proof in storm.evidence} == {"reserve_stock-0", "reserve_stock-1"}
    assert found["write_invoice", "order.paid"].severity == Severity.BROKEN


def test_attempts_of_a_run_that_a_person_asked_for_are_counted_anew(reviewed):
    attempts_of("reserve_stock", "order.placed", [7, 7], tried=500)
    Delivery.objects.update(earlier_attempts=4)
    assert reviewed("retry-storms") == []


# -- dead types


def test_types_that_nobody_sends_and_types_that_nobody_hears(reviewed):
    old = EventType.objects.create(name="loyalty.tier_reached", owner="Loyalty")
    new = EventType.objects.create(name="loyalty.card_lost")
    for one, days in ((old, 60), (new, 1)):
        version = SchemaVersion.objects.create(event_type=one, version="1", schema={})
        SchemaVersion.objects.filter(pk=version.pk).update(created_at=START - timedelta(days=days))
    sent = [
        one
        for name in ("a.done", "b.done", "c.done")
        for one in many(25, name, name, source=name[0], origin_id=1)
    ]
    store(*sent, *many(25, "own", "own.done", source="own"), txid=10)
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("UPDATE events_event SET origin_id = 1 WHERE event_type <> 'own.done'")
        cursor.execute("SET session_replication_role = DEFAULT")
    delivery("a.done", "a", "x")
    delivery("b.done", "b", "x")
    assert [(one.service, one.subject) for one in reviewed("dead-types")] == [
        ("", "loyalty.tier_reached"),
        ("c", "c.done"),
    ]


def test_where_hardly_anything_is_reported_silence_means_nothing(reviewed):
    store(*(one for name in ("a.done", "b.done", "c.done") for one in many(25, name, name)), txid=10)
    delivery("a.done", "shop", "x")
    assert reviewed("dead-types") == []


# -- duplicates with effects


def test_an_event_that_one_service_handled_twice_is_shown_with_what_it_published_twice(reviewed):
    store(*many(5, "o", "order.placed", source="shop"), txid=10)
    store(
        *(receipt(f"o{n}", "mail", 10 + n, event_type="order.placed") for n in range(5)),
        receipt("o1", "mail", 30, event_type="order.placed"),
        receipt("o2", "pay", 31, event_type="order.placed"),
        event("e1", "mail.sent", 11, source="mail", causation_id="o1"),
        event("e2", "mail.sent", 30, source="mail", causation_id="o1"),
        txid=11,
    )
    [finding] = reviewed("idempotency-gaps")
    assert (finding.service, finding.subject, finding.n, finding.of) == ("mail", "order.placed", 1, 5)
    assert finding.title == "mail handles duplicates of order.placed twice and published mail.sent again"
    assert {proof["label"] for proof in finding.evidence} >= {"o1", "e1", "e2"}


def test_a_person_of_the_team_sees_each_finding(reviewed, client):
    store(*(one for number in range(4) for one in moved(number)), txid=10)
    [finding] = reviewed("event-soup")
    client.force_login(User.objects.create_user("vic"))
    assert client.get(f"/review/{finding.pk}/").status_code == 200
