"""How a handler stands, in a word and what to do about it: decided from its switches, its breaker and what waits."""

from datetime import datetime
from typing import Literal

import msgspec

from eventhub.handlers.breaker import Circuit
from eventhub.pages.formats import duration

Level = Literal["ok", "busy", "broken", "unknown"]

# Work that is due and that nobody takes for so long: no worker runs handlers.
NOBODY_S = 15.0
# Work that is due for so long although workers are at it.
BEHIND_S = 30.0
# A handler that fails on every second attempt is broken; on every twentieth, of a few at least, worth a look.
BROKEN_RATIO, FAILING_RATIO, FEW = 0.5, 0.05, 5
WORKER = "celery -A eventhub worker --queues handlers"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What a handler's standing is decided from."""

    is_declared: bool
    enabled: bool
    paused: bool
    circuit: Circuit
    # First attempts that failed since the last success.
    failures: int
    probe_at: datetime | None
    # Deliveries that a worker has in hand, and how long the longest due one waits; None: nothing is due.
    in_hand: int
    overdue_s: float | None
    # Of the last minutes.
    succeeded: int
    failed: int


class Standing(msgspec.Struct, frozen=True):
    """The state in a word, how bad it is, and what to do or to know (empty when nothing)."""

    word: str
    level: Level
    advice: str = ""


def judge(facts: Facts, now: datetime) -> Standing:
    """How the handler stands."""
    if not facts.is_declared:
        return Standing(
            "not in the code", "unknown", "No code declares it any more. What waits for it waits on."
        )
    if not facts.enabled:
        return Standing(
            "off", "unknown", "New events are not delivered to it; those are not made up for later."
        )
    if facts.paused:
        return Standing("paused", "unknown", "Its deliveries wait until it is resumed.")
    if facts.circuit is not Circuit.CLOSED:
        return _stopped(facts, now)
    if facts.overdue_s is not None and facts.overdue_s > NOBODY_S and not facts.in_hand:
        return Standing("no worker", "broken", f"No worker takes its deliveries. Start one: {WORKER}")
    ratio = facts.failed / max(1, facts.succeeded + facts.failed)
    if facts.failed >= FEW and ratio >= BROKEN_RATIO:
        return Standing("failing", "broken", "More than half of its attempts fail.")
    if facts.overdue_s is not None and facts.overdue_s > BEHIND_S:
        return Standing(
            "behind", "busy", "It takes less than comes in. More workers help, or a larger batch."
        )
    if facts.failed >= FEW and ratio >= FAILING_RATIO:
        return Standing("some fail", "busy", "Retries may heal them; see its failures.")
    if facts.in_hand or facts.succeeded:
        return Standing("running", "ok")
    return Standing("ready", "ok")


def _stopped(facts: Facts, now: datetime) -> Standing:
    why = f"{facts.failures} deliveries in a row failed, so nothing runs but a probe now and then."
    if facts.circuit is Circuit.HALF_OPEN:
        return Standing("trying again", "busy", f"{why} One delivery is being tried now.")
    wait_s = max(0.0, (facts.probe_at - now).total_seconds()) if facts.probe_at else 0.0
    when = f"in {duration(wait_s)}" if wait_s >= 1 else "with its next delivery"
    return Standing("stopped", "broken", f"{why} The next is {when}.")
