"""The page's way to the newest letters finds what a plain look at every letter finds, in the same order."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from django.db import transaction
from django.utils import timezone

from dlq import intake, listing, newest, regrouping
from dlq.filter import Filter
from dlq.models import DeadLetter, DeadLetterGroup, Lane, Status
from dlq.newest import Newest
from eventhub.access.audit import Actor
from eventhub.brokers.models import Source
from tests.dlq.letters import broken, order_paid, service_failure

NOW = timezone.now()
ASKED: list[dict[str, Any]] = [
    {},
    {"reason": "service"},
    {"reason": "unstorable"},
    {"source": "shop"},
    {"source": "shop", "failed_in": "shipping"},
    {"source": "nowhere"},
    {"event_type": "order.paid"},
    {"failed_in": "billing"},
    {"error_class": "shop.CardDeclined"},
    {"error_class": "shop.CardDeclined", "topic": "shop.orders"},
    {"topic": "shop.orders"},
    {"topic": "shop.dead-letters", "source": "shop"},
    {"topic": "nowhere"},
    {"correlation_id": "order-3"},
    {"correlation_id": "order-3", "q": "carrier", "attribute": "data.order_id = 3"},
    {"q": "carrier"},
    {"q": "evt-7"},
    {"q": "lantern"},
    {"q": "declined", "source": "shop"},
    {"attribute": "data.total = 1"},
    {"attribute": "data.total = 1", "q": "declined"},
    {"since": NOW - timedelta(minutes=90)},
    {"since": NOW - timedelta(minutes=90), "source": "shop"},
    {"since": NOW - timedelta(days=90), "until": NOW - timedelta(minutes=90)},
    {"since": NOW - timedelta(minutes=90), "failed_in": "billing", "topic": "shop.orders"},
    {"until": NOW - timedelta(minutes=90)},
]


@pytest.fixture
def forty(shop_dead_letters: Source, shop: Source) -> None:
    """Of three services, in two sources, some closed, some that came back lately, one group merged into another."""
    deaths = (
        ("shipping", "shop.CarrierTimeout", "the carrier is silent"),
        ("billing", "shop.CardDeclined", "the card was declined"),
        ("mailing", "shop.NoTemplate", "no template"),
    )
    failures = []
    for n in range(30):
        service, error, said = deaths[n % 3]
        headers = {"dlq-group": service, "dlq-error-class": error, "dlq-error-message": said}
        headers["dlq-failed-at"] = (NOW - timedelta(hours=40 - n)).isoformat()
        body = json.loads(order_paid(f"evt-{n}", correlation_id=f"order-{n}"))
        body["data"] = {"order_id": n, "total": n % 2}
        failures.append(service_failure(n, headers=headers, body=json.dumps(body).encode()))
    with transaction.atomic():
        intake.record(shop_dead_letters, failures)
        intake.record(shop, [broken(n, failed_at=NOW - timedelta(minutes=n * 20)) for n in range(30, 40)])
    billing, mailing = (DeadLetterGroup.objects.get(failed_in=name) for name in ("billing", "mailing"))
    regrouping.merge([billing.pk], mailing.pk, Actor("ada"))
    assert regrouping.settle_some(60)
    numbers = list(DeadLetter.objects.order_by("pk").values_list("pk", flat=True))
    DeadLetter.objects.filter(pk__in=numbers[::5]).update(status=Status.DISCARDED)
    DeadLetter.objects.filter(pk__in=numbers[1::7]).update(status=Status.SENT)
    DeadLetter.objects.filter(pk__in=numbers[2:20:6]).update(last_failed_at=NOW, returns=1)


@pytest.mark.parametrize("asked", ASKED, ids="+".join)
@pytest.mark.parametrize("status", ["", "open", "discarded"])
def test_what_fits_is_found_newest_first(forty: None, asked: dict[str, Any], status: str) -> None:
    merged = DeadLetterGroup.objects.get(failed_in="mailing").pk
    for group in (None, merged):
        wanted = Filter(**asked, status=status, group=group)
        plain = list(listing.matching(wanted).order_by("-pk").values_list("pk", flat=True))
        assert Newest(wanted).ids(100) == plain
        assert Newest(wanted).ids(3) == plain[:3]
        if len(plain) > 3:
            assert Newest(wanted, below=plain[1]).ids(2) == plain[2:4]
            assert Newest(wanted, above=plain[2]).ids(100) == plain[:2]


def test_a_flood_since_then_is_found_by_time_where_the_newest_did_not_fail(
    forty: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "FEW", 1)
    monkeypatch.setattr(newest, "LOOKED_AT", 4)
    wanted = Filter(since=NOW - timedelta(hours=14), status="open")
    plain = list(listing.matching(wanted).order_by("-pk").values_list("pk", flat=True))
    assert len(plain) > 4
    assert Newest(wanted).ids(100) == plain


def test_letters_that_came_back_are_news(forty: None) -> None:
    middle = DeadLetter.objects.order_by("pk").values_list("pk", flat=True)[20]
    wanted = Filter(status="open")
    returned = listing.matching(wanted).filter(pk__lte=middle, returns__gt=0).count()
    newer = listing.matching(wanted).filter(pk__gt=middle).count()
    assert returned
    assert newer
    assert listing.count_newer(wanted, middle) == newer
    assert listing.count_newer(wanted, middle, NOW - timedelta(seconds=1)) == newer + returned


def test_a_group_is_found_by_every_source_that_it_came_by(shop_dead_letters: Source, shop: Source) -> None:
    failures = [service_failure(n) for n in (1, 2)]
    with transaction.atomic():
        intake.record(shop_dead_letters, failures[:1])
        intake.record(shop, failures[1:])
    assert DeadLetterGroup.objects.count() == 1
    for source in (shop_dead_letters, shop):
        wanted = Filter(source=source.name, status="open")
        assert [row.open for row in listing.groups(wanted, 5)] == [2]
        assert len(Newest(msgspec.structs.replace(wanted, group=None)).ids(5)) == 1


@pytest.mark.parametrize("name", ["orders/eu", "or\x00ders", "x" * 900, "\ud800", "bestellungen é", ""])
def test_whatever_a_queue_is_called_its_letters_are_found_by_it(shop: Source, name: str) -> None:
    with transaction.atomic():
        intake.record(shop, [broken(1, read_from=name), broken(2, read_from="eu", origin_key="eu")])
    letter, other = DeadLetter.objects.order_by("pk")
    assert letter.lane != other.lane
    assert set(Lane.objects.values_list("key", flat=True)) == {letter.lane, other.lane}
    if letter.topic:
        assert Newest(Filter(topic=letter.topic)).ids(5) == [letter.pk]
