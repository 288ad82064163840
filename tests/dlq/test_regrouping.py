import json
from typing import Any

import pytest
from django.db import transaction

from dlq import closing, counts, intake, regrouping
from dlq.letter import NewLetter
from dlq.models import DeadLetter, DeadLetterGroup, GroupRule
from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry
from eventhub.brokers.models import Source
from tests.dlq.letters import broken, dead_message, service_failure

ANNA = Actor("anna")


def record(source: Source, *letters: NewLetter) -> None:
    with transaction.atomic():
        intake.record(source, letters)


def groups() -> dict[str, list[int]]:
    """The letters' numbers (their offsets) by the title of their group."""
    found: dict[str, list[int]] = {}
    for title, offset in DeadLetter.objects.order_by("pk").values_list("group__title", "offset"):
        found.setdefault(title, []).append(int(offset.split("-")[0]))
    return found


def assert_counts_are_right() -> None:
    """The sums say of every group what counting its letters says."""
    for group in DeadLetterGroup.objects.all():
        total = counts.totals([group.pk]).get(group.pk, counts.GroupTotals())
        letters = DeadLetter.objects.filter(group=group)
        assert (total.letters, total.open) == (letters.count(), letters.filter(status="open").count())
        assert total.failures == sum(1 + letter.returns for letter in letters)


@pytest.fixture
def two_groups(shop: Source) -> tuple[int, int]:
    record(shop, *[broken(n) for n in (1, 2, 3)], *[broken(n, message="Unexpected end") for n in (4, 5)])
    first, second = DeadLetterGroup.objects.order_by("first_seen_at", "pk").values_list("pk", flat=True)
    return first, second


def of(title_part: str) -> int:
    return DeadLetterGroup.objects.get(title__contains=title_part).pk


def test_merged_groups_are_one_with_the_letters_that_come_later_too(two_groups: Any, shop: Source) -> None:
    closing.discard([DeadLetter.objects.get(offset="5-0").pk], "test data", ANNA)

    regrouping.merge([of("Unexpected")], of("not JSON"), ANNA)
    record(shop, broken(6, message="Unexpected end"))

    assert list(groups().values()) == [[1, 2, 3, 4, 5, 6]]
    assert_counts_are_right()
    assert AuditEntry.objects.filter(action="merge", actor="anna").exists()


def test_undoing_a_merge_puts_every_letter_where_it_would_have_been(two_groups: Any, shop: Source) -> None:
    [rule] = regrouping.merge([of("Unexpected")], of("not JSON"), ANNA)
    record(shop, broken(6, message="Unexpected end"), broken(7))

    regrouping.undo(rule.pk, Actor("ben"))

    assert sorted(groups().values()) == [[1, 2, 3, 7], [4, 5, 6]]
    assert_counts_are_right()
    record(shop, broken(8, message="Unexpected end"))
    assert sorted(groups().values()) == [[1, 2, 3, 7], [4, 5, 6, 8]]
    with pytest.raises(regrouping.CannotRegroup, match="ben has undone it already"):
        regrouping.undo(rule.pk, ANNA)


def test_merges_of_merges_come_apart_in_any_order(two_groups: Any, shop: Source) -> None:
    record(shop, broken(6, message="Nothing at all"))
    [inner] = regrouping.merge([of("Unexpected")], of("not JSON"), ANNA)
    [outer] = regrouping.merge([of("not JSON")], of("Nothing"), ANNA)
    assert list(groups().values()) == [[1, 2, 3, 4, 5, 6]]

    regrouping.undo(inner.pk, ANNA)
    assert sorted(groups().values()) == [[1, 2, 3, 6], [4, 5]]
    regrouping.undo(outer.pk, ANNA)
    assert sorted(groups().values()) == [[1, 2, 3], [4, 5], [6]]
    assert_counts_are_right()


def test_a_group_is_split_by_a_value_of_the_payload(shop_dead_letters: Source) -> None:
    def of_country(n: int, country: str | None) -> NewLetter:
        body = json.loads(dead_message(n).body)
        body["data"] = {"country": country} if country else {}
        return service_failure(n, body=json.dumps(body).encode())

    record(shop_dead_letters, of_country(1, "DE"), of_country(2, "FR"), of_country(3, None))
    rule = regrouping.split(DeadLetterGroup.objects.get().pk, "data.country", ANNA)
    record(shop_dead_letters, of_country(4, "DE"), of_country(5, None), of_country(6, "IT"))

    titles = {title.rsplit(" · ", 1)[-1]: letters for title, letters in groups().items()}
    assert [titles.pop(f"data.country {country}") for country in ("DE", "FR", "IT")] == [[1, 4], [2], [6]]
    assert list(titles.values()) == [[3, 5]]
    assert_counts_are_right()

    regrouping.undo(rule.pk, ANNA)
    assert list(groups().values()) == [[1, 2, 3, 4, 5, 6]]
    assert_counts_are_right()


def test_a_split_by_what_differs_each_time_stops_making_groups(
    shop_dead_letters: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlq.groups.MOST_PARTS", 3)
    record(shop_dead_letters, *[service_failure(n, body=None, correlation_id=f"o-{n}") for n in range(1, 6)])
    for letter in DeadLetter.objects.all():
        letter.key = f"key-{letter.pk}"
        letter.save()

    regrouping.split(DeadLetterGroup.objects.get().pk, "key", ANNA)

    assert sorted(len(letters) for letters in groups().values()) == [1, 1, 1, 2]
    assert_counts_are_right()


def test_what_cannot_be_is_refused_with_words(two_groups: Any) -> None:
    first, second = of("not JSON"), of("Unexpected")
    regrouping.merge([second], first, ANNA)

    for deed, words in (
        (lambda: regrouping.merge([first], second, ANNA), "other way round"),
        (lambda: regrouping.merge([second], first, ANNA), "merged into another group already"),
        (lambda: regrouping.merge([first], first, ANNA), "at least one other group"),
        (lambda: regrouping.split(second, "topic", ANNA), "merged into another group"),
        (lambda: regrouping.split(first, "shoe size", ANNA), "one of the fields offered"),
        (lambda: regrouping.merge([10**9], first, ANNA), "no group"),
    ):
        with pytest.raises(regrouping.CannotRegroup, match=words):
            deed()
    assert GroupRule.objects.count() == 1


def test_a_part_is_not_merged_into_what_it_was_split_from(shop_dead_letters: Source) -> None:
    record(shop_dead_letters, service_failure(1))
    whole = DeadLetterGroup.objects.get().pk
    regrouping.split(whole, "topic", ANNA)
    part = DeadLetterGroup.objects.exclude(pk=whole).get().pk

    with pytest.raises(regrouping.CannotRegroup, match="split off"):
        regrouping.merge([part], whole, ANNA)
    assert regrouping.settle_some(1)


def test_a_move_that_was_cut_short_goes_on_where_it_stopped(
    two_groups: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(regrouping, "CHUNK", 1)
    monkeypatch.setattr(regrouping, "WAITED_FOR_S", -1.0)
    regrouping.merge([of("Unexpected")], of("not JSON"), ANNA)
    assert len(groups()) == 2
    assert GroupRule.objects.get().settled_at is None

    assert regrouping.settle_some(10)

    assert len(groups()) == 1
    assert GroupRule.objects.get().settled_at is not None
    assert_counts_are_right()
