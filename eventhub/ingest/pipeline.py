"""The stages of ingest put together: messages → prepared batch → one transaction.

`prepare` needs no transaction and overlaps the writing of the batch before; `write` stores everything that a batch
brings, or nothing: events, their deliveries to handlers, rollups, searchable values, dead letters, types seen,
outcomes of retries.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec
from django.db import transaction

from dlq import dead_letter_queues, intake, outcomes
from dlq.headers import RETRY_OF
from dlq.intake import NewLetter
from dlq.models import Reason
from dlq.preparing import prepared
from eventhub.brokers.models import Kind, Role, Source
from eventhub.brokers.reading import reader_of
from eventhub.events import partitions, store
from eventhub.events.envelope import Event, Undecodable
from eventhub.events.message import Message
from eventhub.events.store import Outcome
from eventhub.handlers import deliveries
from eventhub.handlers.deliveries import Planned
from eventhub.ingest.counting import Counted, count, recount, tallies
from eventhub.schemas.personal.marks import PersonalFields
from eventhub.schemas.personal.telling import without_personal
from eventhub.schemas.seen import SeenTypes
from eventhub.schemas.validation import Validators
from eventhub.telemetry.operations import operation
from eventhub.traces.attributes import Declarations
from monitoring.rollups import writing


class Batch(msgspec.Struct, frozen=True):
    """Messages decoded and checked, ready to be written."""

    source: Source
    # Every message of the batch, to be acknowledged when it is written.
    messages: Sequence[Message]
    rows: store.Prepared
    # For each event of `rows`, whether it breaks its schema (in a mode that lets it pass).
    invalid: Sequence[bool]
    letters: Sequence[NewLetter]
    # What the batch adds to the rollups if all its events are new.
    counted: Counted
    # Which events are retries of dead letters, by index.
    retried: Sequence[int]
    # Who handles which of its events, if all of them are new; None: nobody any.
    planned: Planned | None


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
    """The stages for one Source. `prepare` and `write` may run in two threads, each always in the same one.

    Raises BadConfig when the source's messages cannot be read as it is configured.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self._reader = reader_of(source)
        self._validators = Validators()
        self._personal = PersonalFields()
        self._seen = SeenTypes()
        self._searchable = Declarations()
        self._expect_duplicates = False

    def prepare(self, messages: Sequence[Message]) -> Batch:
        """Decode and validate. What cannot be read, or is not allowed, becomes a dead letter of the batch.

        A message that is a JSON array holds one event in each element.
        """
        if self.source.role == Role.DEAD_LETTERS:
            letters = [dead_letter_queues.read(message, self._reader) for message in messages]
            return self._batch(messages, [], [], [], letters)
        if {message.body[:1] for message in messages} == {b"{"}:
            return self.prepare_each(messages)
        parts = [part for message in messages for part in self._reader.split(message)]
        return msgspec.structs.replace(self.prepare_each(parts), messages=messages)

    def prepare_each(self, messages: Sequence[Message]) -> Batch:
        """As `prepare`, for messages that hold one event each."""
        self._validators.refresh()
        self._personal.refresh()
        events: list[Event] = []
        origins: list[Message] = []
        invalid: list[bool] = []
        refused: list[NewLetter] = []
        check, read = self._validators.check, self._reader.read
        for message in messages:
            try:
                event = read(message)
            except Undecodable as error:
                refused.append(NewLetter(message, Reason.UNDECODABLE, error.kind, error.reason))
                continue
            finding = check(event)
            if finding and finding.is_enforced:
                letter = NewLetter(message, Reason.INVALID, "SchemaViolation", finding.message, event=event)
                refused.append(letter)
                continue
            events.append(self._personal.as_stored(event))
            origins.append(message)
            invalid.append(finding is not None)
        return self._batch(messages, events, origins, invalid, refused)

    def _batch(
        self,
        messages: Sequence[Message],
        events: Sequence[Event],
        origins: Sequence[Message],
        invalid: Sequence[bool],
        letters: Sequence[NewLetter],
    ) -> Batch:
        retried = [n for n, message in enumerate(origins) if message.headers and RETRY_OF in message.headers]
        rows = store.prepare(events, origins, self.source.pk)
        counted = count(events, origins, invalid)
        planned = deliveries.plan(events, counted.types)
        dead = [prepared(self.source, self._discreet(letter)) for letter in letters]
        return Batch(self.source, messages, rows, invalid, dead, counted, retried, planned)

    def _discreet(self, letter: NewLetter) -> NewLetter:
        """The letter with nothing of personal fields in what everybody reads and searches: all but its message."""
        event = letter.event
        if event is None or not self._personal.marked(event.event_type):
            return letter
        return msgspec.structs.replace(
            letter,
            event=self._personal.covered(event),
            error_message=without_personal(letter.error_message, event.event_type, event.data),
            stack=without_personal(letter.stack, event.event_type, event.data),
        )

    def write(self, batch: Batch) -> Written:
        """Store the batch in one transaction. Raises django.db.Error and psycopg.Error; then nothing is stored."""
        source = self.source
        with operation(
            "ingest.write",
            items=len(batch.messages),
            eventhub_source=source.name,
            eventhub_broker=source.kind,
        ) as told:
            written = self._write(batch)
            told.set(
                eventhub_events_stored=written.outcomes.count(Outcome.STORED),
                eventhub_letters=written.new_letters,
            )
        return written

    def _write(self, batch: Batch) -> Written:
        events = batch.rows.events
        partitions.ensure(batch.counted.days)
        self._searchable.refresh()
        with transaction.atomic():
            appended = store.append(batch.rows, expect_duplicates=self._expect_duplicates)
            unstorable = [
                self._discreet(
                    NewLetter(
                        batch.rows.origins[index],
                        Reason.UNSTORABLE,
                        "Unstorable",
                        reason,
                        event=events[index],
                    )
                )
                for index, reason in appended.refusals.items()
            ]
            # Who sends over HTTP gets the refusal as the answer, and keeps the message.
            letters = [*batch.letters, *unstorable] if batch.source.kind != Kind.HTTP else []
            now = datetime.now(UTC)
            counted = batch.counted
            is_all_new = not any(appended.outcomes)
            if not is_all_new:
                counted = recount(events, batch.rows.origins, batch.invalid, appended.outcomes)
            writing.add(
                tallies(counted, letters, now), origin_id=batch.source.pk, broker=batch.source.kind, at=now
            )
            self._seen.note(batch.counted.types)
            self._searchable.fill(batch.counted.types)
            if batch.planned:
                new = {n for n, outcome in enumerate(appended.outcomes) if outcome is Outcome.STORED}
                deliveries.write(batch.planned, None if is_all_new else new)
            reports = batch.counted.receipts
            new_letters = intake.record(batch.source, letters) if letters else 0
            arrived = [
                (batch.rows.origins[n], events[n])
                for n in batch.retried
                if appended.outcomes[n] is not Outcome.REFUSED
            ]
            if reports or arrived:
                outcomes.observe(arrived, reports)
        written = Written(appended.outcomes, appended.refusals, new_letters)
        self._expect_duplicates = written.had_duplicates
        return written
