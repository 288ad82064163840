"""What a batch adds to the rollups.

Counting is done while the batch before is being written; only what depends on the moment of writing is left for then.
"""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from dlq.intake import NewLetter
from eventhub.events import receipts
from eventhub.events.envelope import Event
from eventhub.events.message import Message
from eventhub.events.receipts import Receipt
from eventhub.events.store import Outcome
from monitoring.rollups.histogram import bucket_of
from monitoring.rollups.writing import Tallies


class Share(msgspec.Struct):
    """The events of one (event type, service) in a batch."""

    size_bytes: int = 0
    invalid: int = 0
    duplicates: int = 0
    # When each of the new ones occurred, in seconds since 1970.
    occurred_s: list[float] = []


class Counted(msgspec.Struct, frozen=True):
    """A batch, counted."""

    # By (event type, service).
    shares: dict[tuple[str, str], Share]
    types: frozenset[str]
    days: frozenset[date]
    receipts: Sequence[Receipt]


def count(events: Sequence[Event], origins: Sequence[Message], invalid: Sequence[bool]) -> Counted:
    """Count a batch as if all its events were new, which is what most batches turn out to be."""
    shares: dict[tuple[str, str], Share] = defaultdict(Share)
    days = set()
    for event, message, is_invalid in zip(events, origins, invalid, strict=True):
        share = shares[event.event_type, event.source or ""]
        share.size_bytes += len(message.body)
        share.invalid += is_invalid
        share.occurred_s.append(event.occurred_at.timestamp())
        days.add(event.occurred_at.date())
    types = frozenset(event_type for event_type, _ in shares)
    reports = [r for event in events if (r := receipts.parse(event))] if types & receipts.TYPES else []
    return Counted(shares, types, frozenset(days), reports)


def recount(
    events: Sequence[Event], origins: Sequence[Message], invalid: Sequence[bool], outcomes: Sequence[Outcome]
) -> Counted:
    """Count a batch of which not all events were new."""
    new = [n for n, outcome in enumerate(outcomes) if outcome is Outcome.STORED]
    counted = count([events[n] for n in new], [origins[n] for n in new], [invalid[n] for n in new])
    for event, outcome in zip(events, outcomes, strict=True):
        if outcome in (Outcome.DUPLICATE, Outcome.MUTATED):
            counted.shares[event.event_type, event.source or ""].duplicates += 1
    return counted


def tallies(counted: Counted, letters: Sequence[NewLetter], now: datetime) -> Tallies:
    """The rows that the batch adds to the rollups when it is written at `now`."""
    result = Tallies()
    now_s = now.timestamp()
    for key, share in counted.shares.items():
        tally = result[key]
        tally.received = len(share.occurred_s)
        tally.size_bytes = share.size_bytes
        tally.invalid = share.invalid
        tally.duplicates = share.duplicates
        tally.arrival = Counter([bucket_of(now_s - occurred_s) for occurred_s in share.occurred_s])
    for receipt in counted.receipts:
        tally = result[receipt.event_type or "", receipt.service]
        tally.handled += receipt.succeeded
        tally.failed += not receipt.succeeded
        if receipt.duration_s is not None:
            tally.processing[bucket_of(receipt.duration_s)] += 1
    for letter in letters:
        event = letter.event
        result[(event.event_type, event.source or "") if event else ("", "")].dead_letters += 1
    return result
