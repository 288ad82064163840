"""The five tiles of the Overview: what each says first, as text; the page's script says the same live."""

import msgspec
from django.urls import reverse

from eventhub.pages import formats
from monitoring.snapshot import Snapshot

# Within this of yesterday is "as yesterday".
SAME = 0.05
# Where more is worse: from here on it is said in amber.
WORSE = 0.25


class Tile(msgspec.Struct, frozen=True):
    """One tile: a label, the figure, what it was yesterday, and where it leads."""

    name: str
    label: str
    value: str
    note: str
    delta: str
    # "busy" when the change is for the worse and large, else "".
    delta_state: str
    # "", "busy" or "broken": of the tile itself.
    state: str
    href: str
    hint: str
    spark: list[float | None] | list[int]


def tiles(now: Snapshot) -> list[Tile]:
    """The five tiles of a snapshot."""
    then = now.yesterday
    traces, letters, sources = reverse("traces"), reverse("dead-letters"), reverse("sources")
    behind = now.lag.seconds if now.lag.seconds is not None else None
    waiting = f"{formats.number(now.lag.messages)} waiting in {now.lag.source}" if now.lag.messages else ""
    return [
        Tile(
            "throughput", "Throughput", formats.rate(now.throughput.per_s), "",
            *delta(now.throughput.per_s, then.per_s, more_is_worse=False),
            state="", href=traces, hint="Events stored a second, over the last 5 s. Opens the newest traces.",
            spark=now.throughput.spark,
        ),
        Tile(
            "lag", "Worst lag", formats.duration(behind) if behind is not None else formats.number(now.lag.messages),
            waiting, *delta(behind, then.lag_s, noise=5.0),
            state="busy" if (behind or 0) > 60 else "",
            href=reverse("source", args=[now.lag.source]) if now.lag.source else sources,
            hint="How long the oldest waiting message has waited, in the source where that is longest.",
            spark=now.lag.spark,
        ),
        Tile(
            "errors", "Errors", formats.percent(now.errors.ratio), f"{formats.number(now.errors.failed)} failed",
            *delta(now.errors.ratio, then.error_ratio, noise=0.001),
            state="broken" if (now.errors.ratio or 0) >= 0.05 and now.errors.failed >= 5 else "",
            href=f"{traces}?state=failed", hint="Failed deliveries of all that services reported in the last minute.",
            spark=now.errors.spark,
        ),
        Tile(
            "processing", "Processing p95", formats.duration(now.processing.p95_s),
            f"p50 {formats.duration(now.processing.p50_s)}" if now.processing.p50_s is not None else "",
            *delta(now.processing.p95_s, then.processing_p95_s, noise=0.02),
            state="", href=f"{traces}?duration=1-",
            hint="19 of 20 events were processed faster than this, in the last minute.",
            spark=now.processing.spark,
        ),
        Tile(
            "dead_letters", "Dead letters", formats.number(now.dead_letters.open),
            f"in {now.dead_letters.groups} group{'' if now.dead_letters.groups == 1 else 's'}"
            if now.dead_letters.groups else "", f"+{formats.number(now.dead_letters.today)} today", "",
            state="busy" if now.dead_letters.open else "", href=letters,
            hint="Messages that wait for a person; the small chart shows the last 24 hours.",
            spark=now.dead_letters.spark,
        ),
    ]  # fmt: skip


def delta(
    value: float | None, then: float | None, *, more_is_worse: bool = True, noise: float = 0.0
) -> tuple[str, str]:
    """How `value` compares with yesterday's, in words, and "busy" when that is much worse.

    Differences below `noise` (in the value's unit) are none.
    """
    if value is None or then is None:
        return "", ""
    if not then:
        return ("as yesterday", "") if value <= noise else ("none yesterday", "")
    change = value / then - 1
    if abs(change) < SAME or abs(value - then) < noise:
        return "as yesterday", ""
    state = "busy" if more_is_worse and change > WORSE else ""
    if change >= 1:
        return f"{formats.number(round(value / then, 1))} × yesterday", state
    return f"{'+' if change > 0 else '−'}{abs(change):.0%} vs yesterday".replace("%", " %"), state
