"""What EventHub itself reads from its store and has not done yet: projections, and the outbox's relay."""

import msgspec
from django.urls import reverse

from eventhub.outbox import figures as outbox
from eventhub.sourcing.projecting import figures as projections
from eventhub.sourcing.projecting.figures import COUNTED


class Reader(msgspec.Struct, frozen=True):
    """One that follows the log or the outbox. `behind` counts events, up to `COUNTED` where `is_more`."""

    name: str
    what: str
    href: str
    level: str
    state: str
    behind: int
    is_more: bool
    # How long the oldest of them has waited.
    seconds: float


def readers() -> list[Reader]:
    """The projections by name, then the relay where something waits or was given up."""
    found = [
        Reader(
            one.name,
            "projection",
            reverse("projections"),
            one.level,
            {"poisoned": "stopped", "running": "follows"}.get(one.state, one.state),
            one.behind,
            one.behind >= COUNTED,
            one.oldest_age_s,
        )
        for one in projections.standings()
    ]
    relay = outbox.standing()
    if relay.waiting or relay.dead:
        level, state = _state_of(relay)
        address = reverse("admin:outbox_outboxmessage_changelist")
        found.append(
            Reader("outbox", "relay", address, level, state, relay.waiting, False, relay.oldest_age_s)
        )
    return found


def _state_of(relay: outbox.Standing) -> tuple[str, str]:
    """The worst of it: its colour, and in words."""
    if relay.dead:
        return "broken", f"{relay.dead:,} given up"
    if relay.refused:
        return "busy", f"{relay.refused:,} refused"
    return "ok", "relays"
