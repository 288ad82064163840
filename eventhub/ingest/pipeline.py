"""The stages of ingest put together: messages → prepared batch → one transaction.

`prepare` needs no transaction and overlaps the writing of the batch before; `write` stores everything that a batch
brings, or nothing: events, rollups, dead letters, types seen, outcomes of retries.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from django.db import transaction

from dlq import dead_letter_queues, intake, outcomes
from dlq.intake import NewLetter
from dlq.models import Reason
from eventhub.brokers.models import Kind, Role, Source
from eventhub.events import decoding, partitions, receipts, store
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message
from eventhub.events.receipts import Receipt
from eventhub.events.store import Outcome
from eventhub.schemas.seen import SeenTypes
from eventhub.schemas.validation import Validators
from monitoring.rollups import writing
from monitoring.rollups.histogram import bucket_of
from monitoring.rollups.writing import Tallies


class Batch(msgspec.Struct, frozen=True):
    """Messages decoded and checked, ready to be written."""

    source: Source
    # Every message of the batch, to be acknowledged when it is written.
    messages: Sequence[Message]
    rows: store.Prepared
    # For each event of `rows`, whether it breaks its schema (in a mode that lets it pass).
    invalid: Sequence[bool]
    letters: Sequence[NewLetter]


class Written(msgspec.Struct, frozen=True):
    """What became of a batch."""

    outcomes: Sequence[Outcome]
    # PostgreSQL's reason for each event it refused, by index.
    refusals: dict[int, str]
    new_letters: int

    @property
    def had_duplicates(self) -> bool:
        """Whether the store held some of the events already."""
        return Outcome.DUPLICATE in self.outcomes or Outcome.MUTATED in self.outcomes


class Pipeline:
    """The stages for one Source. `prepare` and `write` may run in two threads, each always in the same one."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._validators = Validators()
        self._seen = SeenTypes()
        self._expect_duplicates = False

    def prepare(self, messages: Sequence[Message]) -> Batch:
        """Decode and validate. What cannot be read, or is not allowed, becomes a dead letter of the batch.

        A message that is a JSON array holds one event in each element.
        """
        if self.source.role == Role.DEAD_LETTERS:
            letters = [dead_letter_queues.read(message) for message in messages]
            return Batch(self.source, messages, store.prepare([], [], self.source.pk), [], letters)
        parts = [part for message in messages for part in decoding.split(message)]
        return msgspec.structs.replace(self.prepare_each(parts), messages=messages)

    def prepare_each(self, messages: Sequence[Message]) -> Batch:
        """As `prepare`, for messages that hold one event each."""
        self._validators.refresh()
        events: list[Event] = []
        origins: list[Message] = []
        invalid: list[bool] = []
        refused: list[NewLetter] = []
        check = self._validators.check
        for message in messages:
            try:
                event = decoding.decode(message)
            except Undecodable as error:
                refused.append(NewLetter(message, Reason.UNDECODABLE, error.kind, error.reason))
                continue
            finding = check(event)
            if finding and finding.is_enforced:
                letter = NewLetter(message, Reason.INVALID, "SchemaViolation", finding.message, event=event)
                refused.append(letter)
                continue
            events.append(event)
            origins.append(message)
            invalid.append(finding is not None)
        rows = store.prepare(events, origins, self.source.pk)
        return Batch(self.source, messages, rows, invalid, refused)

    def write(self, batch: Batch) -> Written:
        """Store the batch in one transaction. Raises django.db.Error and psycopg.Error; then nothing is stored."""
        events = batch.rows.events
        if events:
            partitions.ensure(event.occurred_at for event in events)
        with transaction.atomic():
            appended = store.append(batch.rows, expect_duplicates=self._expect_duplicates)
            unstorable = [
                NewLetter(
                    batch.rows.origins[index], Reason.UNSTORABLE, "Unstorable", reason, event=events[index]
                )
                for index, reason in appended.refusals.items()
            ]
            # Who sends over HTTP gets the refusal as the answer, and keeps the message.
            letters = [*batch.letters, *unstorable] if batch.source.kind != Kind.HTTP else []
            now = datetime.now(UTC)
            reports = [receipt for event in events if (receipt := receipts.parse(event))]
            writing.add(_tally(batch, appended.outcomes, letters, now), origin_id=batch.source.pk, at=now)
            self._seen.note(event.event_type for event in events)
            new_letters = intake.record(batch.source, letters) if letters else 0
            arrived = _arrived(batch, appended.outcomes)
            if reports or arrived:
                outcomes.observe(arrived, reports)
        written = Written(appended.outcomes, appended.refusals, new_letters)
        self._expect_duplicates = written.had_duplicates
        return written


def _arrived(batch: Batch, results: Sequence[Outcome]) -> list[tuple[Message, Event]]:
    """The events that are retries of dead letters and are in the store now."""
    return [
        (message, event)
        for message, event, outcome in zip(batch.rows.origins, batch.rows.events, results, strict=True)
        if message.headers and outcome is not Outcome.REFUSED and "eventhub-retry-of" in message.headers
    ]


def _tally(batch: Batch, results: Sequence[Outcome], letters: Sequence[NewLetter], now: datetime) -> Tallies:
    tallies = Tallies()
    now_s = now.timestamp()
    for event, message, outcome, is_invalid in zip(
        batch.rows.events, batch.rows.origins, results, batch.invalid, strict=True
    ):
        tally = tallies[event.event_type, event.source or ""]
        if outcome is Outcome.STORED:
            tally.received += 1
            tally.size_bytes += len(message.body)
            tally.invalid += is_invalid
            tally.arrival[bucket_of(now_s - event.occurred_at.timestamp())] += 1
            if event.event_type.startswith(receipts.PREFIX):
                _count_delivery(tallies, receipts.parse(event))
        elif outcome is not Outcome.REFUSED:
            tally.duplicates += 1
    for letter in letters:
        event_type, service = (
            (letter.event.event_type, letter.event.source or "") if letter.event else ("", "")
        )
        tallies[event_type, service].dead_letters += 1
    return tallies


def _count_delivery(tallies: Tallies, receipt: Receipt | None) -> None:
    if receipt is None:
        return
    tally = tallies[receipt.event_type or "", receipt.service]
    if receipt.succeeded:
        tally.handled += 1
    else:
        tally.failed += 1
    if receipt.duration_s is not None:
        tally.processing[bucket_of(receipt.duration_s)] += 1
