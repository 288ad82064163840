import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection, transaction

from eventhub.events.models import Event
from eventhub.schemas.upcasting.code import upcaster
from eventhub.sourcing import aggregates, reading, snapshots
from eventhub.sourcing.appending import ANY, New, append, end, retrying
from eventhub.sourcing.errors import AlreadyAppended, BadEvent, StreamEnded, StreamTruncated, WrongVersion
from eventhub.sourcing.models import Snapshot

pytestmark = pytest.mark.django_db(transaction=True)


def versions(events):
    return [event.stream_version for event in events]


def moved(amount: int, **more) -> New:
    return New("account.moved", {"amount": amount}, **more)


def test_a_stream_counts_its_events_from_one():
    first = append("account-1", [moved(1), moved(2)], expected=0)
    second = append("account-1", moved(3), expected=2)
    assert (first.version, second.version) == (2, 3)
    assert versions(reading.read("account-1")) == [1, 2, 3]
    assert [event.value["amount"] for event in reading.read("account-1")] == [1, 2, 3]
    assert [event.event_id for event in reading.read("account-1")] == first.event_ids + second.event_ids


def test_what_was_expected_and_what_is_stand_in_the_conflict_and_nothing_is_appended():
    append("account-1", moved(1))
    with pytest.raises(WrongVersion, match="expected to be new and is at version 1") as caught:
        append("account-1", moved(2), expected=0)
    assert (caught.value.expected, caught.value.actual) == (0, 1)
    with pytest.raises(WrongVersion):
        append("account-2", moved(2), expected=5)
    assert Event.objects.count() == 1
    assert not reading.head("account-2").exists


def test_after_a_conflict_the_callers_transaction_lives_on():
    append("account-1", moved(1))
    with transaction.atomic():
        with pytest.raises(WrongVersion):
            append("account-1", moved(2), expected=0)
        append("account-1", moved(3), expected=1)
    assert versions(reading.read("account-1")) == [1, 2]


def test_an_append_stands_and_falls_with_the_transaction_it_is_in():
    with transaction.atomic():
        append("account-1", moved(1))
        transaction.set_rollback(True)
    assert not reading.head("account-1").exists
    assert append("account-1", moved(1), expected=0).version == 1


def test_reading_goes_both_ways_from_any_version_in_pages(monkeypatch):
    monkeypatch.setattr(reading, "PAGE", 3)
    append("account-1", [moved(n) for n in range(10)])
    assert versions(reading.read("account-1", after=4)) == [5, 6, 7, 8, 9, 10]
    assert versions(reading.read("account-1", after=2, until=7)) == [3, 4, 5, 6, 7]
    assert versions(reading.read("account-1", limit=4)) == [1, 2, 3, 4]
    assert versions(reading.read_backwards("account-1")) == list(range(10, 0, -1))
    assert versions(reading.read_backwards("account-1", before=4, limit=2)) == [3, 2]


def test_retrying_reads_again_until_nobody_was_faster():
    append("account-1", moved(0))
    seen = []

    @retrying
    def add_one() -> int:
        at = reading.head("account-1").version
        seen.append(at)
        if len(seen) < 3:
            append("account-1", moved(100))  # somebody else
        return append("account-1", moved(1), expected=at).version

    assert add_one() == 4
    assert seen == [1, 2, 3]


def test_an_ended_stream_is_readable_and_closed():
    append("account-1", moved(1))
    end("account-1", reason="closed by the customer")
    with pytest.raises(StreamEnded, match="takes no more events"):
        append("account-1", moved(2), expected=ANY)
    assert [event.event_type for event in reading.read("account-1")] == [
        "account.moved",
        "eventhub.stream.ended",
    ]
    assert reading.head("account-1").ended_at is not None


def test_an_event_that_is_stored_already_is_refused_by_its_id():
    at = datetime(2026, 11, 24, 10, tzinfo=UTC)
    append("account-1", moved(1, event_id="e-1", occurred_at=at))
    with pytest.raises(AlreadyAppended, match="e-1"):
        append("account-1", moved(1, event_id="e-1", occurred_at=at))
    assert reading.head("account-1").version == 1


@pytest.mark.parametrize(
    ("stream", "event", "words"),
    [
        ("", moved(1), "stream is missing"),
        ("account-1", New(""), "event_type is missing"),
        ("account-1", New("a", "\0"), "u0000"),
        ("account-1", New("a", metadata={"x": "\0"}), "u0000"),
        ("a\x1fb", moved(1), "control character"),
    ],
)
def test_what_is_no_event_is_refused_in_words(stream, event, words):
    with pytest.raises(BadEvent, match=words):
        append(stream, event)


def test_an_event_of_another_day_is_found_where_its_time_is():
    append("account-1", moved(1, occurred_at=datetime.now(UTC) - timedelta(days=40)))
    append("account-1", moved(2))
    assert versions(reading.read("account-1")) == [1, 2]


def test_a_category_is_read_in_the_order_of_the_log_and_on_from_where_it_was_left():
    for n in range(3):
        append("account-1", moved(n))
        append(f"account-{n + 2}", moved(10 + n))
        append(f"other-{n}", moved(99))
    first = reading.read_category("account", limit=4)
    rest = reading.read_category("account", after=first[-1].key)
    assert [event.value["amount"] for event in first + rest] == [0, 10, 1, 11, 2, 12]


def test_a_transaction_that_is_older_than_the_one_before_it_is_logged_behind_it():
    """It has its number in the log's order before it appends, and waits for a younger one that appends first."""
    old_began, young_done = threading.Event(), threading.Event()

    def old() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_current_xact_id()")
            old_began.set()
            assert young_done.wait(10)
            append("account-1", [moved(2), moved(3)])
            append("account-1", moved(4))
        connection.close()

    thread = threading.Thread(target=old)
    thread.start()
    assert old_began.wait(10)
    append("account-1", moved(1))
    young_done.set()
    thread.join()
    append("account-1", moved(5))
    assert versions(reading.read_category("account")) == [1, 2, 3, 4, 5]


def test_an_aggregate_is_what_its_events_made_of_it(accounts):
    for amount in (100, -30, 50):
        after = accounts.change("7", lambda account, amount=amount: account.move(amount))
    assert (after.version, after.state.balance) == (3, 120)
    assert accounts.load("7").state.balance == 120
    assert accounts.load("7", until=2).state.balance == 70
    assert accounts.load("8").state.balance == 0


def test_two_who_change_the_same_aggregate_both_count(accounts):
    interrupted = []

    def add(account):
        if not interrupted:
            interrupted.append(True)
            append("account-7", moved(5))
        return account.move(account.balance + 1)

    assert accounts.change("7", add).state.balance == 5 + 6


def test_a_decision_that_raises_appends_nothing_and_one_without_events_neither(accounts):
    def refuse(account):
        raise ValueError("not enough")

    with pytest.raises(ValueError, match="not enough"):
        accounts.change("7", refuse)
    assert accounts.change("7", lambda account: None).version == 0


def test_a_snapshot_is_taken_every_so_many_events_and_read_instead_of_them(accounts):
    for amount in range(1, 11):
        accounts.change("7", lambda account, amount=amount: account.move(amount))
    assert list(Snapshot.objects.order_by("version").values_list("version", flat=True)) == [4, 8]
    Snapshot.objects.filter(version=8).update(state={"balance": 1000, "applied": 0})
    loaded = accounts.load("7")
    assert (loaded.version, loaded.state.balance, loaded.state.applied) == (10, 1000 + 9 + 10, 2)
    assert accounts.load("7", until=3).state.balance == 6


def test_a_snapshot_of_another_form_is_passed_over(accounts):
    for _ in range(4):
        accounts.change("7", lambda account: account.move(1))
    Snapshot.objects.update(state={"balance": "many"})
    assert accounts.load("7").state.balance == 4


def test_only_a_few_snapshots_of_a_stream_are_kept():
    for version in range(1, 20):
        snapshots.take("account-1", "account/1", version, {"balance": version})
    assert Snapshot.objects.count() == snapshots.KEEP
    assert Snapshot.objects.order_by("-version").first().version == 19


def test_what_retention_dropped_is_told_and_not_guessed(accounts):
    append("account-7", [moved(1), moved(2), moved(3)])
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("DELETE FROM events_event WHERE stream_version = 1")
        cursor.execute("SET session_replication_role = DEFAULT")
    with pytest.raises(StreamTruncated, match="begins at version 2"):
        accounts.load("7")
    assert reading.first_kept("account-7") == 2


def test_old_events_are_read_in_the_form_of_today():
    @upcaster("account.moved", None, "2")
    def with_currency(data):
        return {**data, "currency": "EUR"}

    @upcaster("account.moved", "2", "3")
    def in_cents(data):
        return {"cents": data["amount"] * 100, "currency": data["currency"]}

    append("account-1", moved(3))
    [event] = reading.read("account-1")
    assert (event.event_version, event.value) == ("3", {"cents": 300, "currency": "EUR"})
    assert Event.objects.get().data == {"amount": 3}
    with pytest.raises(ValueError, match="circle"):
        upcaster("account.moved", "3", "2")(in_cents)


def test_a_declaration_that_makes_no_sense_is_refused():
    with pytest.raises(ValueError, match="without dashes"):
        aggregates.aggregate("my-account")
    with pytest.raises(ValueError, match="needs a method apply"):
        aggregates.aggregate("thing")(dict)
    with pytest.raises(LookupError, match="not declared"):
        aggregates.of(dict)
