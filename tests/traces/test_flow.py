"""The flow: what the learner counts, what the map is made of, and what stops when a service stops."""

from datetime import timedelta

import pytest

from eventhub.traces.assemble import assemble
from eventhub.traces.flow import learning
from eventhub.traces.flow.figures import Edge, edges
from eventhub.traces.flow.map import blast_radius, build, focused
from eventhub.traces.models import FlowProgress, Grain, Hop, Instance, Process, ProcessStep
from eventhub.traces.skew import corrections
from tests.traces.building import START, at, event, order, receipt, store

pytestmark = pytest.mark.django_db
RANGE = (START - timedelta(hours=1), START + timedelta(hours=1))


def learned():
    learning.learn()
    return {
        (edge.kind, edge.from_type, edge.to_type, edge.to_service): (edge.count, edge.failed)
        for edge in edges(*RANGE)
    }


def test_hops_and_deliveries_are_counted_once_however_often_the_learner_runs():
    store(*order(1), *order(2, 5), txid=10)
    store(
        receipt("order-1-paid", "billing", 3, correlation_id="order-1"),
        receipt("order-2-paid", "billing", 9, ok=False, correlation_id="order-2"),
        txid=11,
    )
    found = learned()
    assert found == {
        ("hop", "", "order.placed", "shop"): (2, 0),
        ("hop", "order.placed", "payment.captured", "payment"): (2, 0),
        ("hop", "payment.captured", "shipment.sent", "shipping"): (2, 0),
        ("delivery", "payment.captured", "", "billing"): (2, 1),
    }
    assert learned() == found
    store(*order(3), txid=12)
    assert learned()["hop", "order.placed", "payment.captured", "payment"] == (3, 0)
    assert Hop.objects.filter(grain=Grain.HOUR, to_type="order.placed").get().count == 3


def test_what_is_not_settled_is_not_read_yet():
    store(*order(1))
    assert learned() == {}
    assert not Instance.objects.exists()


def test_pieces_follow_each_other_and_traces_are_marked(monkeypatch):
    monkeypatch.setattr(learning, "PIECE", 4)
    store(*(one for number in range(5) for one in order(number)), txid=10)
    assert learned()["hop", "payment.captured", "shipment.sent", "shipping"] == (5, 0)
    assert Instance.objects.filter(due_at__isnull=False).count() == 5
    assert FlowProgress.objects.get().looked_at == 15


def test_hostile_names_and_numbers_do_not_stop_the_learner():
    store(
        event("long", "x" * 2000, source="y" * 2000),
        receipt("long", "z" * 2000, duration_ms=10**400),
        receipt("long", "negative", seconds=2, duration_ms=-5),
        receipt("nothing", "text", seconds=3, duration_ms="soon"),
        txid=10,
    )
    assert learned()["hop", "", "x" * 300, "y" * 300] == (1, 0)
    assert learned()["delivery", "x" * 300, "", "z" * 300] == (1, 0)


def way(kind, from_type, from_service, to_type, to_service, count=10, failed=0):
    return Edge(
        kind=kind, from_type=from_type, from_service=from_service, to_type=to_type, to_service=to_service,
        count=count, failed=failed, buckets=[0], counts=[count],
    )  # fmt: skip


WAYS = [
    way("hop", "", "", "order.placed", "shop", 100),
    way("hop", "order.placed", "shop", "payment.captured", "payment", 90),
    way("hop", "payment.captured", "payment", "stock.reserved", "inventory", 90),
    way("hop", "stock.reserved", "inventory", "order.completed", "shop", 80),
    way("delivery", "order.placed", "shop", "", "payment", 100, 10),
    way("delivery", "order.placed", "shop", "", "email", 100),
    way("hop", "", "", "price.changed", "catalogue", 5),
]


def test_the_map_knows_who_consumes_by_deliveries_and_by_what_followed():
    flow = build(WAYS, 50)
    links = {(link.publisher, link.event_type, link.consumer): link for link in flow.links}
    assert set(links) == {
        ("shop", "order.placed", "payment"),
        ("shop", "order.placed", "email"),
        ("payment", "payment.captured", "inventory"),
        ("inventory", "stock.reserved", "shop"),
        ("shop", "order.completed", ""),
        ("catalogue", "price.changed", ""),
    }
    told = links["shop", "order.placed", "payment"]
    assert (told.per_s, told.failed_share, told.state) == (2.0, 0.1, "broken")
    assert links["shop", "order.placed", "email"].state == "ok"
    assert links["payment", "payment.captured", "inventory"].state == "unknown"


def test_a_focus_leaves_only_what_has_to_do_with_it():
    flow = focused(build(WAYS, 50), "inventory")
    assert {link.event_type for link in flow.links} == {"payment.captured", "stock.reserved"}
    assert {box.name for box in flow.boxes} == {"payment", "inventory", "shop"}


def test_when_a_service_stops_what_hangs_on_it_stops_and_the_processes_are_named():
    process = Process.objects.create(name="Order", start_type="order.placed")
    for place, (name, role) in enumerate(
        [("payment.captured", "step"), ("stock.reserved", "step"), ("order.completed", "end")]
    ):
        ProcessStep.objects.create(process=process, order=place, event_type=name, role=role)
    flow = build(WAYS, 50)
    blast = blast_radius(flow, "inventory", [process])
    assert blast.types == ("stock.reserved",)
    assert blast.caused == ("order.completed",)
    assert blast.services == ("shop",)
    assert [(hit.name, hit.stops_at) for hit in blast.processes] == [("Order", "stock.reserved")]
    assert blast_radius(flow, "catalogue", [process]).processes == ()


def test_a_cause_is_guessed_from_receipts_then_from_learned_hops_and_marked():
    events = [
        event("a", "order.placed", 0),
        event("b", "stock.counted", 1, source="inventory", causation_id="a"),
        event("c", "email.sent", 2, source="email"),
        event("d", "payment.captured", 3, source="payment"),
        receipt("b", "email", seconds=2.1),
    ]
    trace = assemble("c-1", events, now=START, learned={("order.placed", "payment.captured"): 500})
    found = {step.event_id: (trace.steps[step.cause].event_id if step.cause is not None else None, step.inferred)
             for step in trace.steps}  # fmt: skip
    assert found == {"a": (None, False), "b": ("a", False), "c": ("b", True), "d": ("a", True)}


def test_where_nobody_names_a_cause_order_is_the_last_resort():
    events = [
        event("a", seconds=0),
        event("b", "payment.captured", 1, source="payment"),
        event("c", seconds=2),
    ]
    trace = assemble("c-1", events, now=START, learned={})
    assert [(step.event_id, step.depth, step.inferred) for step in trace.steps] == [
        ("a", 0, False), ("b", 1, True), ("c", 2, True),
    ]  # fmt: skip
    assert [step.depth for step in assemble("c-1", events, now=START).steps] == [0, 0, 0]


def test_guesses_are_never_learned_from():
    store(event("a", seconds=0), event("b", "payment.captured", 1, source="payment"), txid=10)
    assert ("hop", "order.placed", "payment.captured", "payment") not in learned()


def test_a_clock_that_is_behind_is_corrected_by_its_worst_hop():
    events = [
        event("a", seconds=10),
        event("b", "payment.captured", 9.7, source="payment", causation_id="a"),
        event("c", "payment.booked", 9.9, source="payment", causation_id="b"),
        event("d", "shipment.sent", 12, source="shipping", causation_id="c"),
    ]
    trace = assemble("c-1", events, now=START)
    assert corrections(trace) == {"payment": pytest.approx(0.3)}
    assert corrections(assemble("c-1", order(1), now=at(99))) == {}
