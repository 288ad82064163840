"""What goes wrong between a service and the broker: duplicates, changed duplicates, late arrivals, broken messages."""

import gzip

import msgspec

from eventhub.demo.envelope import ShopEvent
from eventhub.demo.stories import Dice

TWICE = 0.015
CHANGED = 0.0015
LATE = 0.01
# Broken messages follow the share of failures, because someone who asks for no failures wants none of them.
BROKEN_PER_FAILURE = 0.03


class Entry(msgspec.Struct, frozen=True):
    """One message for a stream. `delay_s`: how much later than it happened it reaches the broker."""

    topic: str
    body: bytes
    headers: dict[str, str] = {}
    delay_s: float = 0.0


class Wire:
    """The way to the broker. `carry` returns what really arrives there when a service publishes one event."""

    def __init__(self, dice: Dice, failures: float, *, sins: bool = True) -> None:
        self.dice = dice
        self.shares = {"twice": TWICE, "changed": CHANGED, "late": LATE} if sins else {}
        self.broken_share = failures * BROKEN_PER_FAILURE if sins else 0.0

    def carry(self, event: ShopEvent, entry: Entry) -> list[Entry]:
        """`entry`, which holds `event`, and what the wire makes of it."""
        about = (event.event_type, event.stream, event.stream_version, event.data.get("order_id"))
        delay_s = 0.05 + self.dice.roll("delay", *about) * 0.5
        arriving = [entry]
        match self.dice.pick(self.shares, "wire", *about):
            case "twice":
                arriving.append(msgspec.structs.replace(entry, delay_s=delay_s))
            case "changed":
                arriving.append(Entry(entry.topic, changed(entry.body), entry.headers, delay_s=delay_s))
            case "late":
                arriving = [msgspec.structs.replace(entry, delay_s=1.5 + delay_s * 5)]
        if self.dice.roll("broken", *about) < self.broken_share:
            kind = BROKEN_KINDS[int(self.dice.roll("kind", *about) * len(BROKEN_KINDS))]
            arriving.append(Entry(entry.topic, broken(kind, entry.body)))
        return arriving


def changed(body: bytes) -> bytes:
    """The same event id with other content: what no producer should ever send."""
    envelope = msgspec.json.decode(body)
    envelope["data"]["note"] = "corrected by support"
    return msgspec.json.encode(envelope)


BROKEN_KINDS = ("truncated", "compressed", "wrong types", "latin-1", "no envelope", "nul")


def broken(kind: str, body: bytes) -> bytes:
    """A message that nobody can read as an event, in the ways that producers get it wrong."""
    match kind:
        case "truncated":  # a proxy with a size limit
            return body[: len(body) * 3 // 5]
        case "compressed":  # a producer that compresses and does not say so
            return gzip.compress(body, mtime=0)
        case "wrong types":
            return b'{"event_id": 4711, "event_type": ["order", "placed"], "timestamp": "yesterday", "data": "?"}'
        case "latin-1":
            return '{"event_type": "order.note_added", "data": {"note": "Grüße aus Köln"}}'.encode("latin-1")
        case "no envelope":  # a service that was never told about envelopes
            return b'{"order": 4711, "status": "PAID", "ts": 1764020000}'
        case "nul":
            return b'{"event_type": "order.note_added", "data": {"note": "ring twice\\u0000"}}'
    raise ValueError(f"There is no kind of broken message called {kind!r}; known: {', '.join(BROKEN_KINDS)}.")
