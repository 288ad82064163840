from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from dlq import intake, listing, triage
from dlq.filter import Filter
from dlq.models import DeadLetterGroup
from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Source
from tests.dlq.letters import broken

ANNA = Actor("anna")


def fail(source: Source, n: int, at: datetime | None = None) -> None:
    with transaction.atomic():
        intake.record(source, [broken(n, failed_at=at or timezone.now())])


def shown(**wanted: Any) -> list[int]:
    return [row.id for row in listing.groups(Filter(status="open", **wanted), 10)]


@pytest.fixture
def group(shop: Source) -> int:
    fail(shop, 1)
    return DeadLetterGroup.objects.get().pk


def test_a_fixed_group_that_fails_again_says_that_it_regressed(group: int, shop: Source) -> None:
    triage.mark_fixed(group, "2.4.1", ANNA)
    assert shown(state="fixed") == [group]
    assert shown(state="regressed") == []

    fail(shop, 2)

    found = listing.groups(Filter(status="open", state="regressed"), 10)
    assert [(row.id, row.fixed_in) for row in found] == [(group, "2.4.1")]
    assert found[0].regressed_at is not None
    assert AuditEntry.objects.get(action="regress").detail["fixed_in"] == "2.4.1"

    fail(shop, 3)
    assert AuditEntry.objects.filter(action="regress").count() == 1
    triage.mark_fixed(group, "2.4.2", ANNA)
    assert shown(state="regressed") == []


def test_a_failure_from_before_the_fix_that_arrives_late_is_no_regression(group: int, shop: Source) -> None:
    triage.mark_fixed(group, "", ANNA)
    fail(shop, 2, timezone.now() - timedelta(minutes=5))
    assert shown(state="regressed") == []


def test_a_group_snoozed_for_some_failures_wakes_with_the_last_of_them(group: int, shop: Source) -> None:
    triage.snooze(group, ANNA, failures=2)
    assert (shown(), shown(state="snoozed")) == ([], [group])
    fail(shop, 2)
    assert shown() == []
    fail(shop, 3)
    assert (shown(), shown(state="snoozed")) == ([group], [])


def test_a_group_snoozed_until_a_time_wakes_then_or_when_a_person_wakes_it(group: int) -> None:
    triage.snooze(group, ANNA, until=timezone.now() + timedelta(hours=4))
    assert shown() == []
    triage.wake(group, ANNA)
    assert shown() == [group]
    triage.snooze(group, ANNA, until=timezone.now() + timedelta(hours=4))
    DeadLetterGroup.objects.update(snoozed_until=timezone.now() - timedelta(seconds=1))
    assert shown() == [group]


def test_a_regression_is_heard_although_the_group_is_snoozed(group: int, shop: Source) -> None:
    triage.mark_fixed(group, "1.0", ANNA)
    triage.snooze(group, ANNA, until=timezone.now() + timedelta(days=3))
    assert shown() == []
    fail(shop, 2)
    assert shown() == [group]


def test_a_group_is_given_to_a_person_who_finds_it(group: int, operator: User, reader: User) -> None:
    triage.assign(group, operator.username, ANNA)
    assert shown(state="mine", assignee=operator.pk) == [group]
    assert shown(state="mine", assignee=reader.pk) == []
    assert shown(state="unassigned") == []
    with pytest.raises(triage.CannotDecide, match="nobody called"):
        triage.assign(group, reader.username, ANNA)
    triage.assign(group, "", ANNA)
    assert shown(state="unassigned") == [group]


def test_comments_and_nonsense(group: int) -> None:
    assert (
        triage.comment(group, "  The carrier is down again.\x00 ", ANNA).text == "The carrier is down again.␀"
    )
    for deed in (
        lambda: triage.comment(group, "  ", ANNA),
        lambda: triage.comment(group, "x" * 5_000, ANNA),
        lambda: triage.snooze(group, ANNA),
        lambda: triage.snooze(group, ANNA, until=datetime(2020, 1, 1, tzinfo=UTC)),
        lambda: triage.snooze(group, ANNA, failures=0),
        lambda: triage.mark_unfixed(group, ANNA),
        lambda: triage.mark_fixed(10**9, "", ANNA),
    ):
        with pytest.raises(triage.CannotDecide):
            deed()


@pytest.fixture
def operator(db: Any) -> User:
    return User.objects.create_user("ops", is_staff=True)


@pytest.fixture
def reader(db: Any) -> User:
    return User.objects.create_user("reader")
