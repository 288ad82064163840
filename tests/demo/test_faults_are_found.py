"""The faults that the shop injects are each found by instance: the very orders that the stories chose."""

from datetime import UTC, datetime, timedelta

import pytest

from eventhub.brokers.models import Kind, Source
from eventhub.demo.rehearsal import rehearse
from eventhub.demo.setup import set_up
from eventhub.demo.stories import Dice, Outcome, Storyteller, Trouble
from eventhub.events.message import Message
from eventhub.ingest.pipeline import Pipeline
from eventhub.traces.comparing import compare
from eventhub.traces.flow import learning
from eventhub.traces.loading import load_trace
from eventhub.traces.models import Instance, InstanceState, Process
from eventhub.traces.processes import watching
from eventhub.traces.processes.proposing import propose
from eventhub.traces.query import Absence, TraceQuery
from eventhub.traces.search import search

pytestmark = pytest.mark.django_db(transaction=True)
NUMBERS = range(1, 161)
SKIPPED = {"shop.dead-letters"}


@pytest.fixture
def stories():
    return Storyteller(Dice(3), failures=0.3, sins=False)


@pytest.fixture
def shop(stories):
    """Half an hour of the shop, ingested as its sources would, learned from and looked at."""
    set_up()
    since = datetime.now(UTC) - timedelta(hours=2)
    commits = rehearse(stories, NUMBERS, since=since, lasting=timedelta(minutes=20))
    source = Source.objects.get(name="shop")
    outbox = Source.objects.get(kind=Kind.OUTBOX)
    messages: dict[int, list[Message]] = {source.pk: [], outbox.pk: []}
    for place, entry in enumerate(entry for commit in commits for entry in commit.entries):
        if entry.topic in SKIPPED:
            continue
        home = outbox if entry.topic == "shop.order-feed" else source
        messages[home.pk].append(
            Message(entry.body, entry.topic, f"{place}-0", f"redis:{entry.topic}/{place}", entry.headers)
        )
    for home in (source, outbox):
        pipeline = Pipeline(home)
        pipeline.write(pipeline.prepare(messages[home.pk]))
    learning.learn(60)
    watching.watch(120, now=datetime.now(UTC) + timedelta(hours=1))


def orders(instances):
    """The order numbers of instances of the process."""
    return {subject.removeprefix("order ") for subject in instances.values_list("subject", flat=True)}


def numbers_where(stories, wanted):
    return {str(number) for number in NUMBERS if wanted(stories.story_of(str(number)))}


def order_of(correlation_id):
    return correlation_id.split("-")[1]


def test_each_injected_fault_is_found_by_the_orders_it_was_injected_into(shop, stories):
    instances = Instance.objects.filter(process=Process.objects.get(start_type="order.placed"))
    assert orders(instances) == {str(number) for number in NUMBERS}

    # Stuck: the carrier failed or refused, and the order stands where the parcel should have been created.
    stuck = instances.filter(state=InstanceState.STUCK)
    no_parcel = numbers_where(stories, lambda s: s.trouble in (Trouble.CARRIER_DOWN, Trouble.BAD_ADDRESS))
    assert no_parcel
    assert orders(stuck) == no_parcel
    assert set(stuck.values_list("missing_type", "missing_after")) == {
        ("shipment.created", "inventory.reserved")
    }

    # Compensated payments: charged, no stock, money given back.
    compensated = instances.filter(state=InstanceState.COMPENSATED)
    refunded = numbers_where(stories, lambda s: s.outcome is Outcome.OUT_OF_STOCK)
    assert refunded
    assert orders(compensated.filter(undone__contains=["payment.authorized"])) == refunded
    declined = numbers_where(stories, lambda s: s.outcome is Outcome.DECLINED)
    assert orders(compensated.exclude(undone__contains=["payment.authorized"])) == declined

    # All others were completed.
    others = {str(number) for number in NUMBERS} - no_parcel - refunded - declined
    assert orders(instances.filter(state=InstanceState.COMPLETED)) == others

    # The slow hop: a carrier ten times slower, found by the search and named.
    now = datetime.now(UTC)
    slow_carrier = numbers_where(
        stories,
        lambda s: s.carrier_is_slow and s.outcome is Outcome.DELIVERED
        and s.trouble not in (Trouble.CARRIER_DOWN, Trouble.BAD_ADDRESS),
    )  # fmt: skip
    slow = [
        order_of(found.trace.correlation_id)
        for found in search(TraceQuery(slow=True), now=now, limit=500).found
        if any(
            hop[1] == "shipment.created"
            for hop in Instance.objects.get(correlation_id=found.trace.correlation_id).slow_hops
        )
    ]
    assert slow_carrier
    assert set(slow) == slow_carrier

    # The same orders by words: confirmed, but no parcel in time.
    gone = Absence("order.confirmed", "shipment.created", 30.0)
    lacking = search(TraceQuery(absence=gone), now=now, limit=500).found
    assert {order_of(found.trace.correlation_id) for found in lacking} == no_parcel

    # The divergent trace: where an order without stock left the way of one that was delivered.
    usual = instances.filter(subject=f"order {min(others, key=int)}").get()
    odd = instances.filter(subject=f"order {min(refunded, key=int)}").get()
    divergence = compare(trace_of(usual), trace_of(odd)).divergence
    assert divergence is not None
    assert (divergence.left.event_type, divergence.right.event_type) == (
        "inventory.reserved",
        "inventory.out_of_stock",
    )
    assert divergence.after == "payment.authorized"

    # The mined ways suggest the process that the shop named itself.
    proposed = {(step.event_type, step.role): step for step in propose("order.placed").steps}
    assert {name for name, role in proposed if role in ("step", "end")} == {
        "payment.authorized", "inventory.reserved", "shipment.created", "shipment.dispatched", "order.completed",
    }  # fmt: skip
    assert proposed["order.completed", "end"].after == "shipment.dispatched"
    assert proposed["payment.refunded", "compensation"].undoes == "payment.authorized"
    assert ("order.cancelled", "abort") in proposed
    assert {name for name, role in proposed if role == "failure"} == {
        "payment.declined",
        "inventory.out_of_stock",
    }


def trace_of(instance):
    loaded = load_trace(instance.correlation_id, datetime.now(UTC))
    assert loaded is not None
    return loaded.trace
