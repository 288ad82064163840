import threading
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from django.db import connection, transaction

from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry
from eventhub.sourcing.appending import New, append
from eventhub.sourcing.models import Checkpoint, Projection
from eventhub.sourcing.projecting import declaring, figures, following, projection, rebuilding
from eventhub.sourcing.projecting.columns import columns

pytestmark = pytest.mark.django_db(transaction=True)
ANN = Actor("ann")


class Balance(msgspec.Struct):
    account: str
    version: int = 0
    total: int = 0
    note: str | None = None
    seen: list[str] = []
    last_at: datetime | None = None


class Follower:
    """What each account holds."""

    Row = Balance

    def key(self, event):
        return event.stream

    def fold(self, row, event):
        if event.event_type == "account.closed":
            return None
        row = row or Balance(event.stream)
        row.version = event.stream_version
        row.total += event.value["amount"]
        row.note = event.value.get("note", row.note)
        row.seen.append(event.event_type)
        row.last_at = event.occurred_at
        return row


@pytest.fixture
def declare():
    before = declaring.declared()

    def one(name="balances", kind=Follower, **options):
        declaring._declared.pop(name, None)
        projection(name, *options.pop("patterns", ("account.*",)), **options)(kind)
        return declaring.declared()[name]

    yield one
    for name in declaring.declared():
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE IF EXISTS projection_{name}, projection_{name}__next")
    declaring._declared.clear()
    declaring._declared.update(before)


def moved(amount, **more):
    return New("account.moved", {"amount": amount, **more})


def rows(table="projection_balances"):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT account, version, total FROM {table} ORDER BY account")
        return cursor.fetchall()


def test_the_table_follows_the_events(declare):
    declared = declare()
    append("account-1", [moved(100), moved(-30)])
    append("account-2", moved(5, note="a \\ 'quoted' %s note"))
    assert rebuilding.follow(declared) == 3
    append("account-1", moved(50))
    append("other-1", New("other.moved", {}))
    assert rebuilding.follow(declared) == 1
    assert rows() == [("account-1", 3, 120), ("account-2", 1, 5)]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT note, seen, last_at > '2020-01-01' FROM projection_balances WHERE account = 'account-2'"
        )
        assert cursor.fetchone() == ("a \\ 'quoted' %s note", '["account.moved"]', True)
    assert rebuilding.follow(declared) == 0


def test_a_fold_that_returns_nothing_deletes_the_row(declare):
    declared = declare()
    append("account-1", moved(100))
    rebuilding.follow(declared)
    append("account-1", New("account.closed"))
    rebuilding.follow(declared)
    assert rows() == []


def test_each_type_of_field_has_its_column():
    class Row(msgspec.Struct):
        key: str
        n: int | None
        x: float
        yes: bool
        price: Decimal
        at: datetime
        parts: dict[str, int]

    assert list(columns(Row).values()) == [
        "text", "bigint", "double precision", "boolean", "numeric", "timestamptz", "jsonb",
    ]  # fmt: skip


def test_a_late_commit_is_not_passed_over(declare):
    declared = declare()
    written, may_commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            append("account-1", moved(1))
            written.set()
            assert may_commit.wait(10)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert written.wait(10)
    append("account-2", moved(2))
    rebuilding.follow(declared)
    assert rows() == []  # not settled: a transaction before it is open
    assert figures.standing("balances").behind == 1
    may_commit.set()
    thread.join()
    rebuilding.follow(declared)
    assert rows() == [("account-1", 1, 1), ("account-2", 1, 2)]


def test_partitions_share_the_streams_and_each_stream_has_one(declare):
    declared = declare(partitions=4)
    for n in range(20):
        append(f"account-{n:02d}", [moved(1), moved(n)])
    shares = [rebuilding.follow_partition(declared, n) for n in range(4)]
    assert sum(shares) == 40
    assert all(share % 2 == 0 for share in shares)
    assert max(shares) < 40
    assert rows() == [(f"account-{n:02d}", 2, n + 1) for n in range(20)]


def test_it_stops_at_the_event_it_cannot_take_in_and_names_it(declare):
    declared = declare()
    good = append("account-1", [moved(1), moved(2)])
    bad = append("account-1", New("account.moved", {"price": 3}))
    append("account-1", moved(4))
    rebuilding.follow(declared)
    assert rows() == [("account-1", 2, 3)]
    standing = figures.standing("balances")
    assert (standing.state, standing.level) == ("poisoned", "broken")
    [stopped] = standing.stopped
    assert (stopped.poison_event_id, stopped.poison_event_type) == (bad.event_ids[0], "account.moved")
    assert "KeyError: 'amount'" in stopped.poison_error
    assert good.event_ids[0] != stopped.poison_event_id

    rebuilding.change_state("balances", "resume", ANN)
    rebuilding.follow(declared)
    assert figures.standing("balances").state == "poisoned"  # it is the same event still

    rebuilding.change_state("balances", "skip", ANN)
    rebuilding.follow(declared)
    assert rows() == [("account-1", 4, 7)]
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == ["resume", "skip"]
    with pytest.raises(rebuilding.NotStopped):
        rebuilding.change_state("balances", "skip", ANN)


def test_a_row_that_postgresql_refuses_is_found_among_the_others(declare):
    declared = declare()
    for n in range(7):
        append(f"account-{n}", moved(2**62 if n == 4 else n))
    append("account-4", moved(2**62))  # beyond bigint in sum
    append("account-5", moved(1))
    rebuilding.follow(declared)
    [stopped] = figures.standing("balances").stopped
    assert stopped.poison_event_type == "account.moved"
    assert {account: total for account, _, total in rows()}["account-4"] == 2**62


def test_a_paused_projection_waits(declare):
    declared = declare()
    rebuilding.ensure(declared)
    rebuilding.change_state("balances", "pause", ANN)
    append("account-1", moved(1))
    assert rebuilding.follow(declared) == 0
    rebuilding.change_state("balances", "resume", ANN)
    assert rebuilding.follow(declared) == 1


def test_a_rebuild_stands_beside_the_live_one_until_it_takes_its_place(declare):
    declared = declare()
    append("account-1", [moved(1), moved(2)])
    rebuilding.follow(declared)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE projection_balances SET total = 999")  # something went wrong with it
    rebuilding.rebuild(declared, ANN)
    assert rows() == [("account-1", 2, 999)]
    [coming] = Checkpoint.objects.filter(is_next=True)
    following.step(declared, coming.pk, limit=1)
    assert rows("projection_balances__next") == [("account-1", 1, 1)]
    append("account-1", moved(3))
    rebuilding.follow(declared)
    assert rows() == [("account-1", 3, 6)]
    row = Projection.objects.get()
    assert not row.rebuilding
    assert row.swapped_at is not None
    append("account-1", moved(4))
    rebuilding.follow(declared)
    assert rows() == [("account-1", 4, 10)]


def test_a_new_version_of_the_code_is_filled_beside_the_old_table(declare):
    append("account-1", [moved(1), moved(2)])
    rebuilding.follow(declare())

    class Wider(msgspec.Struct):
        account: str
        version: int = 0
        total: int = 0
        moves: int = 0

    class Second(Follower):
        Row = Wider

        def fold(self, row, event):
            row = row or Wider(event.stream)
            row.version, row.moves = event.stream_version, row.moves + 1
            row.total += event.value["amount"]
            return row

    declared = declare(kind=Second, version=2, partitions=2)
    rebuilding.follow(declared)
    with connection.cursor() as cursor:
        cursor.execute("SELECT account, moves FROM projection_balances")
        assert cursor.fetchall() == [("account-1", 2)]
    assert figures.standing("balances").live_version == 2
    assert len(figures.standing("balances").partitions) == 2


def test_a_crash_between_the_work_and_the_checkpoint_counts_nothing_twice(declare, monkeypatch):
    declared = declare()
    append("account-1", [moved(1), moved(2)])
    monkeypatch.setattr(Checkpoint, "save", lambda self: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        rebuilding.follow(declared)
    monkeypatch.undo()
    rebuilding.follow(declared)
    assert rows() == [("account-1", 2, 3)]


def test_what_makes_no_sense_is_refused(declare):
    for words, options in [
        ("small letters", {"name": "My Table"}),
        ("event types", {"patterns": ()}),
        ("needs 1 to", {"partitions": 0}),
        ("AMQP", {"patterns": ("order.#",)}),
    ]:
        with pytest.raises(ValueError, match=words):
            declare(**options)

    class NoKey(Follower):
        class Row(msgspec.Struct):
            n: int

    with pytest.raises(ValueError, match="has to be a str"):
        declare("other", NoKey)


def test_the_checkpoint_goes_along_while_others_write(declare):
    declared = declare()
    append("account-1", moved(1))
    rebuilding.follow(declared)
    [checkpoint] = Checkpoint.objects.all()
    assert checkpoint.events == 1
    assert checkpoint.moved_at <= datetime.now(UTC)
