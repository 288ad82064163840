from collections import Counter
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from eventhub.demo.envelope import read
from eventhub.demo.faults import BROKEN_KINDS
from eventhub.demo.rehearsal import rehearse
from eventhub.demo.stories import Dice, Outcome, Storyteller, Trouble
from tests.demo.conftest import order_with

pytestmark = pytest.mark.django_db(transaction=True)
SINCE = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEEDS = ("shop.receipts", "shop.dead-letters")


def play(stories: Storyteller, first: int, count: int = 1):
    commits = rehearse(stories, range(first, first + count), since=SINCE, lasting=timedelta(minutes=1))
    return [entry for commit in commits for entry in commit.entries]


def events_of(entries):
    return [read(entry.body, entry.headers) for entry in entries if entry.topic not in FEEDS]


def causes(events):
    by_id = {event.event_id: event.event_type for event in events}
    return {event.event_type: by_id.get(event.causation_id) for event in events}


def test_a_happy_order_is_a_chain_in_which_each_event_names_its_cause(stories):
    number = order_with(
        stories,
        lambda story: (
            story.outcome is Outcome.DELIVERED
            and story.trouble is Trouble.NONE
            and not story.is_company
            and not story.has_moved
            and not story.is_recommended
        ),
    )
    events = events_of(play(stories, number))
    assert causes(events) == {
        "order.placed": None,
        "payment.authorized": "order.placed",
        "inventory.reserved": "payment.authorized",
        "order.confirmed": "inventory.reserved",
        "shipment.created": "inventory.reserved",
        "shipment.dispatched": "shipment.created",
        "order.completed": "shipment.dispatched",
        "email.sent": "shipment.dispatched",
        "customer.profile_updated": "order.completed",
    }
    assert len({event.correlation_id for event in events}) == 1
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert timedelta(seconds=0.5) < events[-1].at - events[0].at < timedelta(seconds=12)
    order = [event.stream_version for event in events if event.stream == f"order-{number}"]
    assert order == [1, 2, 3]


def test_a_declined_payment_is_compensated(stories):
    number = order_with(stories, lambda story: story.outcome is Outcome.DECLINED and not story.has_moved)
    events = [event for event in events_of(play(stories, number)) if "recommend" not in event.event_type]
    assert [event.event_type for event in events] == [
        "order.placed",
        "payment.declined",
        "inventory.released",
        "order.cancelled",
        "email.sent",
    ]


def test_an_empty_shelf_is_refunded(stories):
    number = order_with(stories, lambda story: story.outcome is Outcome.OUT_OF_STOCK)
    types = causes(events_of(play(stories, number)))
    assert types["payment.refunded"] == "inventory.out_of_stock"
    assert types["order.cancelled"] == "payment.refunded"


def test_the_length_of_a_story_is_known_beforehand(stories):
    told = Counter(
        event.data.get("order_id") or event.data.get("order", {}).get("order_id")
        for event in events_of(play(stories, 9000, 60))
        if event.event_type != "recommendation.updated"
    )
    for number in range(9000, 9060):
        story = stories.story_of(str(number))
        # The mailbox of a customer who also waits for an invoice refuses two e-mails.
        if story.trouble is not Trouble.MAILBOX_REFUSED:
            invoice = story.is_company and story.outcome is not Outcome.DECLINED
            assert told[str(number)] == story.events - story.is_recommended, (number, story, invoice)


def test_the_same_seed_tells_the_same_stories_and_another_seed_others():
    def tell(seed):
        stories = Storyteller(Dice(seed), 0.2)
        return [stories.story_of(str(number)) for number in range(300)]

    assert tell(7) == tell(7)
    assert tell(7) != tell(8)


def test_the_share_of_failures_is_what_was_asked_for():
    stories = Storyteller(Dice(1), failures=0.1)
    told = [stories.story_of(str(number)) for number in range(20_000)]
    troubled = sum(story.trouble is not Trouble.NONE for story in told)
    delivered = sum(story.outcome is Outcome.DELIVERED for story in told)
    assert troubled / delivered == pytest.approx(0.1, abs=0.01)
    calm = Storyteller(Dice(1), failures=0)
    assert {calm.story_of(str(number)).trouble for number in range(2000)} == {Trouble.NONE}
    assert {calm.story_of(str(number)).outcome for number in range(2000)} == {Outcome.DELIVERED}


def test_the_flaws_are_there_on_purpose_and_poison_appears():
    stories = Storyteller(Dice(1), failures=0.3)
    entries = [entry for entry in play(stories, 9000, 400) if entry.topic not in FEEDS]
    readable, broken = [], 0
    for entry in entries:
        try:
            readable.append(read(entry.body, entry.headers))
        except ValueError:
            broken += 1
    types = Counter(event.event_type for event in readable)
    assert broken >= 10
    assert types["billing.send_invoice"] > 20
    assert types["customer.city_changed"] > 5
    assert {event.event_version for event in readable if event.event_type == "order.placed"} == {"1", "2"}
    learnt = [event for event in readable if event.event_type == "recommendation.updated"]
    assert {event.correlation_id for event in learnt} == {None}
    copies = Counter(event.event_id for event in readable)
    assert sum(count == 2 for count in copies.values()) > 10
    contents = {(event.event_id, msgspec.json.encode(event.data)) for event in readable}
    assert len(contents) > len(copies), "a duplicate with other content"
    arrived = [event.at for event in readable]
    assert arrived != sorted(arrived), "some arrive late, with honest timestamps"


def test_without_sins_nothing_is_broken_doubled_or_forgotten():
    stories = Storyteller(Dice(1), failures=0.1, sins=False)
    events = events_of(play(stories, 9000, 200))
    assert len({event.event_id for event in events}) == len(events)
    assert all(event.correlation_id for event in events)
    types = {event.event_type for event in events}
    assert "invoice.issued" in types
    assert "customer.address_changed" in types
    assert not {"billing.send_invoice", "customer.city_changed"} & types


def test_every_kind_of_broken_message_is_met_sooner_or_later():
    stories = Storyteller(Dice(3), failures=1)
    entries = [entry for entry in play(stories, 9000, 300) if entry.topic not in FEEDS]
    unreadable = set()
    for entry in entries:
        try:
            read(entry.body, entry.headers)
        except ValueError as error:
            unreadable.add(entry.body[:2] + str(error)[:20].encode())
    assert len(unreadable) >= len(BROKEN_KINDS) - 1
