"""A part of a topic read into the store once more, by the function and by the command."""

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from dlq.models import DeadLetter
from eventhub.access.models import AuditEntry
from eventhub.brokers.adapter import BadConfig, BrokerError
from eventhub.brokers.models import Kind, Source
from eventhub.events.models import Event
from eventhub.ingest.loop import SourceLoop
from eventhub.ingest.replay import plan, replay
from tests.integration.kafka_source import wait_until

NOON_MS = 1_795_521_600_000  # 2026-11-24T12:00:00Z


def event(number):
    body = {"event_type": "order.placed", "event_id": f"e-{number}", "timestamp": "2026-11-24T10:00:00Z"}
    return json.dumps(body).encode()


@pytest.fixture
def source(shop, transactional_db):
    """A source whose topic holds 20 events in two partitions, one each minute from noon on, in turn."""
    shop.make(partitions=2)
    for number in range(20):
        shop.put(event(number), partition=number % 2, timestamp=NOON_MS + number * 60_000)
    source = shop.source()
    source.save()
    return source


def stored():
    return sorted(
        int(event_id.removeprefix("e-")) for event_id in Event.objects.values_list("event_id", flat=True)
    )


def run(*arguments):
    out = StringIO()
    call_command("replay_topic", *arguments, stdout=out)
    return out.getvalue()


def test_a_range_of_offsets_is_read_and_nothing_beside_it(shop, source):
    tally = replay(source, plan(source, shop.topic, 2, 5, partition=1), lambda _: None)
    assert stored() == [5, 7, 9]
    assert (tally.messages, tally.new, tally.known) == (3, 3, 0)


def test_a_range_of_times_is_read_in_every_partition(shop, source):
    start, end = (datetime(2026, 11, 24, 12, minute, tzinfo=UTC) for minute in (3, 7))
    replay(source, plan(source, shop.topic, start, end), lambda _: None)
    assert stored() == [3, 4, 5, 6]


def test_what_is_there_already_is_a_duplicate_and_the_group_stays_where_it_is(shop, source):
    loop = SourceLoop(source, "w1")
    loop.start()
    wait_until(lambda: loop.messages_total == 20)
    loop.stop()
    assert loop.join(30)
    before = shop.committed((0, 1))
    seen = []
    tally = replay(source, plan(source, shop.topic), lambda so_far: seen.append(so_far.messages))
    assert (tally.messages, tally.new, tally.known, seen[-1]) == (20, 0, 20, 20)
    assert stored() == list(range(20))
    assert shop.committed((0, 1)) == before


def test_what_cannot_be_read_becomes_a_dead_letter_once(shop, source):
    shop.put(b"no event")
    for new_letters in (1, 0):
        tally = replay(source, plan(source, shop.topic, 10, partition=0), lambda _: None)
        assert (tally.messages, tally.letters) == (1, new_letters)
    assert DeadLetter.objects.count() == 1


def test_offsets_that_are_not_there_any_more_or_not_yet_are_left_out(shop, source):
    [span] = plan(source, shop.topic, 8, 5_000, partition=0)
    assert (span.first, span.end) == (8, 10)
    assert [span.length for span in plan(source, shop.topic, 5_000, 6_000)] == [0, 0]
    assert replay(source, plan(source, shop.topic, 5_000), lambda _: None).messages == 0


def test_a_topic_a_partition_and_a_kind_of_source_that_do_not_fit_are_named(shop, source):
    with pytest.raises(BrokerError, match="no topic 'nowhere'"):
        plan(source, "nowhere")
    with pytest.raises(BrokerError, match="no partition 9: it has 2"):
        plan(source, shop.topic, partition=9)
    with pytest.raises(BrokerError, match="bookkeeping"):
        plan(source, "__consumer_offsets")
    with pytest.raises(BadConfig, match="only Kafka"):
        plan(Source(name="r", kind=Kind.REDIS, config={"streams": ["a"]}), "a")


def test_the_command_says_what_it_would_read_and_reads_nothing_when_told_so(shop, source):
    said = run(source.name, shop.topic, "--from", "2026-11-24T12:10:00Z", "--dry-run")
    assert "partition 0: offsets 5 to 10, at most 5 messages" in said
    assert "10 messages at most would be read" in said
    assert stored() == []
    assert not AuditEntry.objects.exists()


def test_the_command_reads_and_tells_and_is_recorded(shop, source):
    said = run(source.name, shop.topic, "--from", "3", "--to", "6", "--partition", "0")
    assert "3 of at most 3 messages read: 3 new events, 0 there already, 0 new dead letters" in said
    assert stored() == [6, 8, 10]
    entry = AuditEntry.objects.get()
    assert (entry.action, entry.target) == ("replay", f"{source.name}/{shop.topic}")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nobody", "t"], "There is no source 'nobody'"),
        (["{source}", "t", "--from", "yesterday"], "neither an offset nor a time"),
        (["{source}", "nowhere"], "no topic 'nowhere'"),
    ],
)
def test_the_command_says_what_is_wrong(source, arguments, words):
    with pytest.raises(CommandError, match=words):
        run(*(argument.format(source=source.name) for argument in arguments))
