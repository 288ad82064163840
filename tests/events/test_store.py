import json
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import Error, connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from eventhub.events import partitions, store
from eventhub.events.envelope import Event as NewEvent
from eventhub.events.message import Message
from eventhub.events.models import Event, MutatedDuplicate
from eventhub.events.store import Outcome

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def event(event_id="e-1", **fields):
    return NewEvent(**({"event_id": event_id, "event_type": "order.placed", "occurred_at": NOON} | fields))


def append(*events, **options):
    origins = [
        Message(b"", "orders", f"{n}-0", f"redis:orders/{n}-0", partition=2) for n, _ in enumerate(events)
    ]
    batch = store.prepare(events, origins, origin_id=None)
    partitions.ensure(new.occurred_at.date() for new in events)
    with transaction.atomic():
        return store.append(batch, **options)


@pytest.fixture(params=[False, True], ids=["copy", "staged"])
def expect_duplicates(request):
    return request.param


@pytest.mark.django_db
def test_every_column_comes_back_as_it_went_in(expect_duplicates):
    append(
        event(
            data='{"text": "tab\\t, line\\n, back\\\\slash, \\u00e9, 𝄞",\n\t"n": 1}',
            metadata='{"k": [1, 2]}',
            event_version="2",
            source="order",
            correlation_id="c\\N",
            causation_id="e-0",
            stream="order-1",
            stream_version=3,
        ),
        expect_duplicates=expect_duplicates,
    )
    row = Event.objects.get(event_id="e-1")
    assert row.data == {"text": "tab\t, line\n, back\\slash, é, 𝄞", "n": 1}
    assert row.metadata == {"k": [1, 2]}
    assert (row.event_version, row.source, row.correlation_id) == ("2", "order", "c\\N")
    assert (row.causation_id, row.stream, row.stream_version) == ("e-0", "order-1", 3)
    assert (row.origin_topic, row.origin_partition, row.origin_offset) == ("orders", 2, "0-0")
    assert row.occurred_at == NOON


@pytest.mark.django_db
def test_the_key_and_the_headers_of_the_message_come_back_as_they_came(expect_duplicates):
    origins = [
        Message(b"", "orders", "1", "k1", {"x-a": "tab\t\\u0000 \x00"}, "key\x1f\n"),
        Message(b"", "orders", "2", "k2", {"x-a": "2"}, raw_headers=(("X-A", "1"), ("X-A", "2"))),
        Message(b"", "orders", "3", "k3"),
    ]
    batch = store.prepare([event(), event("e-2"), event("e-3")], origins, origin_id=None)
    partitions.ensure([NOON.date()])
    with transaction.atomic():
        store.append(batch, expect_duplicates=expect_duplicates)
    rows = Event.objects.order_by("event_id").values_list("message_key", "headers")
    assert list(rows) == [
        ("key␀␀", {"x-a": "tab\t\\u0000 ␀"}),
        (None, [["X-A", "1"], ["X-A", "2"]]),
        (None, None),
    ]


@pytest.mark.django_db
def test_what_is_absent_is_null_and_json_null_is_json(expect_duplicates):
    append(event(), expect_duplicates=expect_duplicates)
    row = Event.objects.get()
    assert (row.event_version, row.correlation_id, row.stream_version, row.origin_id) == (
        None,
        None,
        None,
        None,
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT data::text FROM events_event")
        assert cursor.fetchone() == ("null",)


@pytest.mark.django_db
def test_an_event_that_its_producer_did_not_date_says_so(expect_duplicates):
    append(event(), event("e-2", has_producer_time=False), expect_duplicates=expect_duplicates)
    assert dict(Event.objects.values_list("event_id", "is_undated")) == {"e-1": None, "e-2": True}


@pytest.mark.django_db
def test_the_same_event_twice_in_a_batch_is_stored_once(expect_duplicates):
    result = append(event(), event("e-2"), event(), expect_duplicates=expect_duplicates)
    assert result.outcomes == [Outcome.STORED, Outcome.STORED, Outcome.DUPLICATE]
    assert Event.objects.count() == 2


@pytest.mark.django_db
def test_other_content_under_the_same_id_in_a_batch_is_kept_aside(expect_duplicates):
    result = append(event(), event(data='{"n": 2}'), expect_duplicates=expect_duplicates)
    assert result.outcomes == [Outcome.STORED, Outcome.MUTATED]
    assert json.loads(MutatedDuplicate.objects.get().content)["data"] == {"n": 2}


@pytest.mark.django_db(transaction=True)
def test_a_redelivered_batch_is_all_duplicates_and_what_is_new_in_it_is_stored(expect_duplicates):
    append(event("e-1"), event("e-2"))
    result = append(event("e-1"), event("e-3"), event("e-2"), expect_duplicates=expect_duplicates)
    assert result.outcomes == [Outcome.DUPLICATE, Outcome.STORED, Outcome.DUPLICATE]
    assert sorted(Event.objects.values_list("event_id", flat=True)) == ["e-1", "e-2", "e-3"]


@pytest.mark.django_db(transaction=True)
def test_key_order_and_spacing_do_not_make_an_event_mutated_and_content_does():
    append(event(data='{"a": 1, "b": 2}'))
    assert append(event(data='{"b":2,"a":1}')).outcomes == [Outcome.DUPLICATE]
    assert append(event(data='{"a": 1, "b": 3}')).outcomes == [Outcome.MUTATED]
    assert append(event(data='{"b": 3, "a": 1}')).outcomes == [Outcome.MUTATED]
    kept = MutatedDuplicate.objects.get()
    assert kept.times_seen == 2
    assert Event.objects.get().data == {"a": 1, "b": 2}


@pytest.mark.django_db(transaction=True)
def test_an_event_without_a_time_of_its_own_is_known_by_its_id_alone():
    append(event(has_producer_time=False))
    later = event(has_producer_time=False, occurred_at=NOON + timedelta(hours=1))
    assert append(later).outcomes == [Outcome.DUPLICATE]
    assert append(event("e-2", has_producer_time=False), later).outcomes == [
        Outcome.STORED,
        Outcome.DUPLICATE,
    ]
    assert Event.objects.count() == 2


@pytest.mark.django_db
def test_a_row_that_postgresql_cannot_hold_is_found_and_the_others_are_stored():
    events = [event(f"e-{n}") for n in range(50)]
    events[17] = event("e-17", data="1e999999")
    events[33] = event("e-33", data="1e999999")
    result = append(*events)
    assert sorted(result.refusals) == [17, 33]
    assert "overflows" in result.refusals[17]
    assert result.stored() == Event.objects.count() == 48


@pytest.mark.django_db(transaction=True)
def test_a_number_beyond_every_range_holds_up_no_batch_whatever_its_event_lacks():
    huge = event("huge", data="1e999999", has_producer_time=False)
    result = append(huge, event("e-1"), huge, event("e-2", has_producer_time=False))
    assert result.outcomes == [Outcome.REFUSED, Outcome.STORED, Outcome.DUPLICATE, Outcome.STORED]
    append(event("huge", has_producer_time=False))
    assert append(huge).outcomes == [Outcome.MUTATED]


@pytest.mark.django_db
def test_events_of_absurd_days_go_to_the_default_partition_and_of_others_to_their_day():
    absurd = [datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, tzinfo=UTC)]
    recent = datetime.now(UTC).replace(hour=12) - timedelta(days=400)
    append(*(event(f"e-{n}", occurred_at=at) for n, at in enumerate([*absurd, recent])))
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM events_event ORDER BY occurred_at")
        assert [row[0] for row in cursor.fetchall()] == [
            "events_event_default",
            f"events_event_{recent:%Y%m%d}",
            "events_event_default",
        ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "statement",
    ["UPDATE events_event SET source = 'x'", "DELETE FROM events_event", "TRUNCATE events_event"],
)
def test_the_table_refuses_every_change(statement):
    append(event())
    with pytest.raises(Error, match="immutable"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Event.objects.count() == 1


@pytest.mark.django_db
def test_a_partition_made_late_takes_its_events_out_of_the_default_partition():
    day = datetime(2001, 5, 6, 7, tzinfo=UTC)
    append(event(occurred_at=day), event("e-2", occurred_at=day + timedelta(days=1)))
    with connection.cursor() as cursor:
        cursor.execute("SELECT events_create_partition('2001-05-06'), events_create_partition('2001-05-06')")
        assert cursor.fetchone() == (True, False)
        cursor.execute("SELECT tableoid::regclass::text FROM events_event ORDER BY occurred_at")
        assert cursor.fetchall() == [("events_event_20010506",), ("events_event_default",)]


@pytest.mark.django_db
def test_retention_drops_whole_days_that_are_past_it():
    today = datetime.now(UTC).replace(hour=12)
    ages = (0, 9, 10, 11, 200)
    append(*(event(f"e-{age}", occurred_at=today - timedelta(days=age)) for age in ages))
    dropped = partitions.drop_older_than(10)
    assert f"events_event_{today - timedelta(days=11):%Y%m%d}" in dropped
    assert sorted(Event.objects.values_list("event_id", flat=True)) == ["e-0", "e-10", "e-9"]
    assert partitions.drop_older_than(0) == []


@pytest.mark.django_db(transaction=True)
def test_a_reader_below_the_horizon_never_skips_a_late_commit():
    """The transaction that began first commits last; a reader in between must not go past it."""
    began, may_commit = threading.Event(), threading.Event()

    def slow_writer():
        try:
            with transaction.atomic():
                store.append(store.prepare([event("slow")], [Message(b"", "t", "1", "k")], None))
                began.set()
                may_commit.wait(10)
        finally:
            connection.close()

    partitions.ensure([NOON.date()])
    thread = threading.Thread(target=slow_writer)
    thread.start()
    assert began.wait(10)
    append(event("fast"))

    def settled():
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT event_id FROM events_event WHERE {store.SETTLED} ORDER BY txid, position")
            return [row[0] for row in cursor.fetchall()]

    assert settled() == []
    may_commit.set()
    thread.join()
    assert settled() == ["slow", "fast"]


class AnyText(TestCase):
    @settings(max_examples=30)
    @given(
        st.dictionaries(st.text(max_size=20), st.text(), max_size=3),
        st.text(
            st.characters(exclude_categories=["Cc", "Cs"]),
            min_size=1,
            max_size=40,
        ),
    )
    def test_no_text_can_break_out_of_its_column(self, data, name):
        text = json.dumps(data)
        if "\\u0000" in text:
            return
        append(event(event_type=name, data=text, correlation_id=name))
        row = Event.objects.get()
        assert (row.event_type, row.correlation_id, row.data) == (name, name, data)
