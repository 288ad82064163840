"""One fault played to its end: load before, during and after it, then everything is counted."""

import math
import time
from dataclasses import dataclass, field

from tests.chaos.whole.faults import Fault
from tests.chaos.whole.installation import ABSENCE_S, Installation
from tests.chaos.whole.load import wait_for
from tests.chaos.whole.looking import LATE_S, Look

BEFORE_S = 3.0
# So long all has to be well before a fault counts as over.
STEADY_S = 5.0
RECOVERED_WITHIN_S = 180.0
DRAINED_WITHIN_S = 240.0
# Who has nothing to do with a fault goes on as before: nineteen events of twenty are stored within this.
SPARED_P95_S = 5.0
PAGE_S = 10.0


@dataclass
class Outcome:
    """What a fault came to."""

    fault: Fault
    seconds: float = 0.0
    events: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    recovery_s: float = 0.0
    # Of each source that was to be spared: the 95th percentile of its latency meanwhile.
    spared: dict[str, float] = field(default_factory=dict)
    pages_failed: list[Look] = field(default_factory=list)
    slowest_page_s: float = 0.0
    false_alarms: list[str] = field(default_factory=list)
    not_alarmed: set[str] = field(default_factory=set)

    def assert_survived(self) -> None:
        """Nothing lost, nothing doubled, nobody else hurt, and alerts that told the truth."""
        assert self.events > 50, f"{self.fault.name}: hardly an event; it showed nothing"
        assert not self.lost, f"{self.fault.name}: {len(self.lost)} of {self.events} lost: {self.lost[:5]}"
        assert not self.doubled, f"{self.fault.name}: doubled: {self.doubled[:5]}"
        slow = {name: p95 for name, p95 in self.spared.items() if p95 > SPARED_P95_S}
        assert not slow, f"{self.fault.name}: sources that it has nothing to do with were held up: {slow}"
        assert not self.pages_failed, f"{self.fault.name}: pages failed: {self.pages_failed[:5]}"
        assert not self.false_alarms, f"{self.fault.name}: false alarms: {self.false_alarms}"
        assert not self.not_alarmed, f"{self.fault.name}: nobody was told of {self.not_alarmed}"


def play(hub: Installation, fault: Fault, late_s: float = LATE_S) -> Outcome:
    """Have it happen under load; returns what became of every event. `late_s`: what is not stored by then is late."""
    outcome, part = Outcome(fault), fault.part
    for sender in hub.senders.values():
        sender.begin(part)
    _wait_until_well(hub, part, f"before {fault.name}", 0, late_s)
    time.sleep(BEFORE_S)
    began = time.time()
    fault.happen(hub)
    ended = time.time()
    _wait_until_well(hub, part, f"after {fault.name}", STEADY_S, late_s)
    wait_for("alerts to clear", lambda: hub.database.alarms_on() == 0, RECOVERED_WITHIN_S)
    until = time.time()
    _drain(hub, part)
    _count(hub, outcome)
    outcome.seconds = ended - began
    outcome.recovery_s = max(0.0, hub.database.late_until(part, began) - ended)
    _look_at_the_rest(hub, outcome, began, until)
    return outcome


def _wait_until_well(hub: Installation, part: str, when: str, for_s: float, late_s: float) -> None:
    well_since, deadline = math.inf, time.monotonic() + RECOVERED_WITHIN_S
    while time.monotonic() - well_since < for_s or well_since == math.inf:
        trouble = _trouble(hub, part, late_s)
        well_since = math.inf if trouble else min(well_since, time.monotonic())
        assert time.monotonic() < deadline, f"not well {when} for {RECOVERED_WITHIN_S:.0f} s: {trouble}"
        time.sleep(0.3)


def _trouble(hub: Installation, part: str, late_s: float) -> str:
    """Which source's new events do not come in or are not handled in time, or which page is not served."""
    now = time.time()
    stored, handled = hub.database.stored(part), hub.database.effects(part)
    if stored is None or handled is None:
        return "PostgreSQL does not answer"
    for name, sender in hub.senders.items():
        sent = list(sender.confirmed[part].items())
        if not any(now - at < late_s for _, at in sent):
            return f"the producer of {name} sends nothing: {sender.last_failure}"
        late = sum(now - at > late_s and event_id not in stored for event_id, at in sent)
        if late or not any(now - at < late_s and event_id in stored for event_id, at in sent):
            return f"{late} events of {name} are not stored ({hub.status_of(name)})"
        to_handle = [(i, at) for i, at in sent if ":chaos.flood:" not in i]
        if late := sum(now - at > 2 * late_s and event_id not in handled for event_id, at in to_handle):
            return f"{late} events of {name} are not handled ({hub.deliveries()})"
    looks = hub.pages.looks[-2:] if hub.pages else []
    return next((f"{look}" for look in looks if look.status != 200), "")


def _drain(hub: Installation, part: str) -> None:
    """No new events: what is on its way arrives, and the brokers hold nothing any more."""
    for sender in hub.senders.values():
        sender.pause()
    for sender in hub.senders.values():
        wait_for(
            f"the producer of {sender.name}, {sender.last_failure}",
            lambda sender=sender: sender.is_idle,  # type: ignore[misc]
            DRAINED_WITHIN_S,
        )
    sent = {event_id for sender in hub.senders.values() for event_id in sender.confirmed[part]}

    def has_arrived() -> bool:
        stored, handled = hub.database.stored(part), hub.database.effects(part)
        if stored is None or handled is None:
            return False
        return sent <= stored.keys() and {one for one in sent if ":chaos.flood:" not in one} <= handled.keys()

    deadline = time.monotonic() + DRAINED_WITHIN_S
    while not has_arrived() and time.monotonic() < deadline:  # what is lost is told by the count
        time.sleep(0.3)
    for name in hub.senders:
        wait_for(f"{name} to be empty", lambda name=name: hub.left_at(name) == 0, DRAINED_WITHIN_S)  # type: ignore[misc]


def _count(hub: Installation, outcome: Outcome) -> None:
    part = outcome.fault.part
    stored, handled = hub.database.stored(part), hub.database.effects(part)
    assert stored is not None
    assert handled is not None
    sent = {event_id for sender in hub.senders.values() for event_id in sender.confirmed[part]}
    outcome.events = len(sent)
    outcome.lost = sorted(sent - stored.keys())
    outcome.lost += sorted(f"effect of {i}" for i in sent - handled.keys() if ":chaos.flood:" not in i)
    outcome.doubled = sorted(i for i, rows in stored.items() if rows > 1)
    outcome.doubled += sorted(f"effect of {i}" for i, times in handled.items() if times > 1)


def _look_at_the_rest(hub: Installation, outcome: Outcome, began: float, until: float) -> None:
    fault = outcome.fault
    for name in sorted(fault.spares):
        if name in hub.senders:
            took = hub.database.latencies(fault.part, name, began, began + max(outcome.seconds, 5.0))
            outcome.spared[name] = took[int(len(took) * 0.95)] if took else float("inf")
    if fault.pages and hub.pages:
        looks = hub.pages.between(began, until)
        outcome.pages_failed = [look for look in looks if look.status != 200 or look.took_s > PAGE_S]
        outcome.slowest_page_s = max((look.took_s for look in looks), default=0.0)
    outcome.false_alarms = hub.database.false_alarms(began)
    wanted = {name for name in fault.alerts if name in hub.senders}
    outcome.not_alarmed = wanted - hub.database.alarmed(began, began + outcome.seconds + ABSENCE_S)
