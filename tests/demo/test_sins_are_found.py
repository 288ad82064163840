"""The flow review finds each flaw of the shop on the service that has it, and nothing where there are none."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta

import pytest

from eventhub.brokers.models import Kind, Source
from eventhub.demo.faults import Wire
from eventhub.demo.rehearsal import rehearse
from eventhub.demo.setup import set_up
from eventhub.demo.stories import Dice, Storyteller
from eventhub.events.message import Message
from eventhub.events.models import MutatedDuplicate
from eventhub.ingest.pipeline import Pipeline
from eventhub.traces.flow import learning
from monitoring.review import running, streams
from monitoring.review.models import Finding, Score

pytestmark = pytest.mark.django_db(transaction=True)


def play(stories: Storyteller, orders: int = 300) -> None:
    """Some minutes of the shop, ingested as its sources would, learned from and reviewed."""
    set_up(sins=stories.sins)
    since = datetime.now(UTC) - timedelta(minutes=20)
    commits = rehearse(stories, range(1, orders + 1), since=since, lasting=timedelta(minutes=15))
    homes = {
        "shop.order-feed": Source.objects.get(kind=Kind.OUTBOX),
        "shop.dead-letters": Source.objects.get(name="shop-dead-letters"),
    }
    tap = Source.objects.get(name="shop")
    messages: dict[int, list[Message]] = defaultdict(list)
    for place, entry in enumerate(entry for commit in commits for entry in commit.entries):
        home = homes.get(entry.topic, tap)
        messages[home.pk].append(
            Message(entry.body, entry.topic, f"{place}-0", f"redis:{entry.topic}/{place}", entry.headers)
        )
    for home in (tap, *homes.values()):
        pipeline = Pipeline(home)
        pipeline.write(pipeline.prepare(messages[home.pk]))
    learning.learn(60)
    running.run(settle_s=0)


@pytest.fixture(autouse=True)
def _nothing_comes_later(monkeypatch):
    monkeypatch.setattr(streams, "GAP_AFTER", timedelta(0))


def found() -> dict[str, set[tuple[str, str]]]:
    """(service, subject) of each rule's findings."""
    by_rule = defaultdict(set)
    for one in Finding.objects.filter(state="open"):
        by_rule[one.rule].add((one.service, one.subject))
    return dict(by_rule)


def test_each_flaw_is_found_on_the_service_that_has_it():
    play(Storyteller(Dice(2), failures=0.1))
    by_rule = found()

    assert by_rule["event-soup"] == {("crm", "customer.*_changed")}
    assert by_rule["event-as-command"] == {("billing", "billing.send_invoice")}
    assert by_rule["missing-correlation"] == {("recommendation", "correlation id")}
    assert ("shipping", "gaps") in by_rule["ignored-order"]
    assert {subject for _, subject in by_rule["ignored-order"]} <= {"gaps", "late events"}
    assert "late events" in {subject for _, subject in by_rule["ignored-order"]}
    assert by_rule["versions"] == {("email", "no version")}
    assert "timestamps" not in by_rule, (
        "what is played in the past is never from the future: test_review_live.py"
    )
    assert by_rule["not-past-tense"] == {("crm", "CustomerAddressUpdate")}
    assert by_rule["payload-style"] == {("inventory", "inventory.reserved")}
    assert ("customer", "customer.profile_updated") in by_rule["schema-drift"]
    assert by_rule["retry-storms"] == {("recommendation", "order.placed")}
    assert by_rule["dead-types"] == {
        ("", "loyalty.tier_reached"),
        ("recommendation", "recommendation.updated"),
    }
    assert {service for service, _ in by_rule["idempotency-gaps"]} == {"email"}
    changed = set(MutatedDuplicate.objects.values_list("source", "event_type"))
    assert changed
    assert by_rule["mutated-events"] == changed

    scores = dict(Score.objects.values_list("service", "score"))
    assert scores["payment"] > scores["recommendation"]
    assert scores[""] < 100


@pytest.mark.parametrize("failures", [0.05, 0.3, 0.0])
def test_without_sins_nothing_is_found_whatever_fails(failures):
    play(Storyteller(Dice(2), failures=failures, sins=False))
    assert found() == {}
    assert Score.objects.get(service="").score == 100
    assert Score.objects.count() >= 10


def test_the_wire_is_clean_without_sins():
    assert Wire(Dice(1), 0.5, sins=False).shares == {}
