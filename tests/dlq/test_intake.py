from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from dlq import counts, intake
from dlq.models import DeadLetter, DeadLetterGroup
from eventhub.brokers.models import Source
from tests.dlq.letters import broken, service_failure

pytestmark = pytest.mark.django_db


def record(source: Source, *letters: intake.NewLetter) -> int:
    with transaction.atomic():
        return intake.record(source, letters)


def test_a_message_delivered_again_is_not_written_again(shop: Source) -> None:
    assert record(shop, broken(1), broken(2)) == 2
    assert record(shop, broken(2), broken(3), broken(3)) == 1

    assert DeadLetter.objects.count() == 3
    assert counts.open_letters().letters == 3


def test_a_batch_with_one_letter_that_is_there_adds_the_others_and_counts_them_by_group(shop: Source) -> None:
    at = datetime(2026, 11, 24, 10, tzinfo=UTC)
    first = [broken(n, message="Missing field", failed_at=at + timedelta(seconds=n)) for n in range(3)]
    others = [broken(n, message="Too late", failed_at=at + timedelta(seconds=n)) for n in range(3, 6)]
    assert record(shop, *first, others[0]) == 4
    assert record(shop, *first, *others) == 2

    totals = counts.totals(list(DeadLetterGroup.objects.values_list("pk", flat=True)))
    assert {(one.letters, one.open, one.last_failed_at) for one in totals.values()} == {
        (3, 3, at + timedelta(seconds=2)),
        (3, 3, at + timedelta(seconds=5)),
    }


def test_a_thousand_letters_cost_a_handful_of_statements(shop: Source) -> None:
    letters = [broken(n, message=f"Order {n} has no field 'x{n}'") for n in range(1000)]
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert record(shop, *letters) == 1000

    # Groups known, made, rules; a place to copy to, the copy, the letters from there; counts.
    assert len([q for q in captured if "SAVEPOINT" not in q["sql"]]) <= 7
    assert DeadLetterGroup.objects.count() == 1


def test_the_body_is_kept_byte_for_byte_and_text_is_made_fit_for_the_database(shop: Source) -> None:
    body = bytes(range(256)) * 4
    letter = broken(1, body=body, message="bad \x00 byte \ud800", headers={"a\x00b": "c\x00d"})
    record(shop, letter)

    kept = DeadLetter.objects.get()
    assert bytes(kept.body) == body
    assert kept.size_bytes == 1024
    assert kept.error_message == "bad ␀ byte \ufffd"
    assert kept.headers == {"a␀b": "c␀d"}


def test_an_id_too_long_for_an_index_is_shortened_not_refused(shop: Source) -> None:
    letter = service_failure(1, event_id="x" * 10_000, correlation_id="y" * 10_000)
    assert record(shop, letter) == 1
    assert len(DeadLetter.objects.get().event_id or "") <= 600


def test_letters_are_grouped_by_what_they_died_of(shop: Source) -> None:
    record(
        shop,
        broken(1, message="Missing field in order 17"),
        broken(2, message="Missing field in order 18"),
        broken(3, message="The body is not UTF-8"),
    )
    assert sorted(group.members.count() for group in DeadLetterGroup.objects.all()) == [1, 2]
    assert counts.open_letters() == counts.OpenLetters(
        letters=3, groups=2, added_today=3, worst_group_title="NotAnEvent: Missing field in order …"
    )


def test_merging_the_counts_leaves_the_sums_alone(shop: Source) -> None:
    for n in range(20):
        record(shop, broken(n))
    before = counts.open_letters()

    assert counts.merge() == 19
    assert counts.merge() == 0
    assert counts.open_letters() == before
