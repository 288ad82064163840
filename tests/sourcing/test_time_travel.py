from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.events.models import Event
from eventhub.sourcing.appending import New, append
from eventhub.sourcing.time_travel import at_time, at_version, diff

TEN = datetime(2026, 11, 24, 10, tzinfo=UTC)
json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inside: (
        st.lists(inside, max_size=3)
        | st.dictionaries(st.text("ab", min_size=1, max_size=2), inside, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.django_db(transaction=True)
def test_the_state_at_every_version(accounts):
    for amount in (100, -30, 50):
        accounts.change("7", lambda account, amount=amount: account.move(amount))
    assert [at_version("account-7", n).value["balance"] for n in range(4)] == [0, 100, 70, 120]
    assert at_version("account-7").aggregate == "Account"


@pytest.mark.django_db(transaction=True)
def test_what_had_happened_and_what_was_known_are_two_questions(accounts):
    """A withdrawal of 10:05 that was reported late: it had happened at 10:10, and nobody knew."""
    append("account-7", New("account.moved", {"amount": 100}, occurred_at=TEN))
    append("account-7", New("account.moved", {"amount": 50}, occurred_at=TEN + timedelta(minutes=20)))
    known = Event.objects.get(stream_version=2).recorded_at
    append("account-7", New("account.moved", {"amount": -30}, occurred_at=TEN + timedelta(minutes=5)))
    happened = at_time("account-7", TEN + timedelta(minutes=10), "occurred")
    assert (happened.value["balance"], happened.version, happened.events) == (70, 3, 2)
    assert at_time("account-7", known, "recorded").value["balance"] == 150
    assert at_time("account-7", TEN, "recorded").value["balance"] == 0


@pytest.mark.django_db(transaction=True)
def test_without_an_aggregate_the_state_is_what_was_told_last():
    append(
        "order-1",
        [New("order.placed", {"total": 5, "status": "placed"}), New("order.paid", {"status": "paid"})],
    )
    assert at_version("order-1").value == {"total": 5, "status": "paid"}
    assert at_version("order-1", 1).value == {"total": 5, "status": "placed"}


def test_a_difference_names_its_place():
    before = {"items": [{"sku": "A", "n": 1}], "note": "x"}
    after = {"items": [{"sku": "A", "n": 2}, {"sku": "B", "n": 1}], "paid": True}
    assert [(one.path, one.kind, one.before, one.after) for one in diff(before, after)] == [
        ("items[0].n", "changed", 1, 2),
        ("items[1]", "added", None, {"sku": "B", "n": 1}),
        ("note", "removed", "x", None),
        ("paid", "added", None, True),
    ]


@given(json, json)
def test_there_is_a_difference_exactly_where_two_values_differ(before, after):
    same = repr(_sorted(before)) == repr(_sorted(after))
    assert (diff(before, after) == []) == same
    assert diff(before, before) == []


def _sorted(value):
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(one) for one in value] if isinstance(value, list) else value
