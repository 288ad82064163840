"""The health line: what needs a person, in one sentence, each part a link to where it is seen to."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from eventhub.pages.formats import duration, percent
from monitoring.rollups.reading import Comparison

# An error ratio below this, or of fewer failures, is the ordinary noise of a system that retries.
ERRORS_WORTH_TELLING = 0.05
FAILURES_WORTH_TELLING = 5
# Behind by less than this is catching up.
BEHIND_S = 60.0
# Slower than yesterday by this factor, and slower than people notice.
SLOWER_FACTOR = 2.0
SLOW_S = 0.2
SILENT_S = 120.0
NUMBERS = ("Nothing", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")


class Finding(msgspec.Struct, frozen=True):
    """One thing that needs a person: how bad, in words, and where it is seen to."""

    level: Literal["busy", "broken"]
    text: str
    href: str


class Health(msgspec.Struct, frozen=True):
    """`level` is that of the worst finding ("unknown" before anything arrived); `text` is the part before them."""

    level: Literal["ok", "busy", "broken", "unknown"]
    text: str
    findings: list[Finding]


class SourceFacts(msgspec.Struct, frozen=True):
    """What the health line needs to know of a source."""

    name: str
    word: str
    level: str
    error: str
    href: str
    lag_s: float | None
    lag_messages: int | None
    rate_per_s: float


class Facts(msgspec.Struct, frozen=True):
    """What the health line is decided from."""

    sources: list[SourceFacts]
    dead_letters_open: int
    dead_letter_groups: int
    failed: int
    error_ratio: float | None
    processing_p95_s: float | None
    yesterday: Comparison
    # Seconds since the last event; None before the first.
    silent_for_s: float | None
    per_s: float
    dead_letters_href: str
    failures_href: str
    sources_href: str
    # Handlers that their circuit breaker has stopped: name, and where its page is.
    stopped_handlers: Sequence[tuple[str, str]] = ()
    # Processes with instances that do not go on: name, how many, and where they are listed.
    stuck_processes: Sequence[tuple[str, int, str]] = ()


def judge_health(facts: Facts) -> Health:
    """Decide what needs a person; the worst first."""
    findings = [
        *_of_sources(facts),
        *_of_handlers(facts),
        *_of_processes(facts),
        *_of_deliveries(facts),
        *_of_dead_letters(facts),
    ]
    findings.sort(key=lambda finding: finding.level != "broken")
    if not findings:
        if facts.silent_for_s is None:
            return Health("unknown", "Nothing has arrived yet.", [])
        running = sum(source.level == "ok" for source in facts.sources)
        return Health("ok", f"All is well: {count(running, 'source')} up, nothing waits for you.", [])
    many = len(findings)
    number = NUMBERS[many] if many < len(NUMBERS) else str(many)
    text = f"{number} thing{'' if many == 1 else 's'} need{'s' if many == 1 else ''} you:"
    return Health(findings[0].level, text, findings)


def _of_sources(facts: Facts) -> list[Finding]:
    found = []
    idle = [source for source in facts.sources if source.word == "no worker"]
    if len(idle) > 1 and len(idle) == sum(
        s.word not in {"listening", "off", "paused"} for s in facts.sources
    ):
        found.append(Finding("broken", "no ingest worker is running", facts.sources_href))
        idle = []
    found += [Finding("broken", f"no worker reads {source.name}", source.href) for source in idle]
    for source in facts.sources:
        if source.word == "no worker":
            continue
        if source.level == "broken":
            why = f": {source.error.splitlines()[0][:90].rstrip('.')}" if source.error else ""
            found.append(Finding("broken", f"{source.name} is {source.word}{why}", source.href))
        elif source.word != "paused" and (source.lag_s or 0) > BEHIND_S:
            stalled = source.rate_per_s == 0 and (source.lag_messages or 0) > 0
            if stalled:
                found.append(Finding("broken", f"{source.name} is stalled", source.href))
            else:
                behind = duration(source.lag_s or 0)
                found.append(Finding("busy", f"{source.name} is {behind} behind", source.href))
    return found


def _of_processes(facts: Facts) -> list[Finding]:
    return [
        Finding(
            "broken", f"{count(number, 'instance')} of {name} {'is' if number == 1 else 'are'} stuck", href
        )
        for name, number, href in facts.stuck_processes
    ]


def _of_handlers(facts: Facts) -> list[Finding]:
    return [
        Finding("broken", f"{name} is stopped: everything it gets fails", href)
        for name, href in facts.stopped_handlers
    ]


def _of_deliveries(facts: Facts) -> list[Finding]:
    found = []
    ratio, then = facts.error_ratio, facts.yesterday
    if (
        ratio is not None
        and facts.failed >= FAILURES_WORTH_TELLING
        and ratio >= max(ERRORS_WORTH_TELLING, 1.5 * (then.error_ratio or 0))
    ):
        found.append(Finding("broken", f"{percent(ratio)} of deliveries fail", facts.failures_href))
    p95, p95_then = facts.processing_p95_s, then.processing_p95_s
    if p95 and p95_then and p95 >= SLOW_S and p95 >= SLOWER_FACTOR * p95_then:
        times = f"{p95 / p95_then:.1f}".removesuffix(".0")
        found.append(Finding("busy", f"processing is {times} × slower than yesterday", facts.failures_href))
    if (
        facts.per_s == 0
        and (facts.silent_for_s or 0) > SILENT_S
        and (then.per_s or 0) * SILENT_S >= 10  # enough then to expect some now
    ):
        silence = duration(facts.silent_for_s or 0)
        found.append(Finding("busy", f"nothing has arrived for {silence}", facts.sources_href))
    return found


def _of_dead_letters(facts: Facts) -> list[Finding]:
    if not facts.dead_letters_open:
        return []
    letters = count(facts.dead_letters_open, "dead letter")
    groups = f" in {count(facts.dead_letter_groups, 'group')}" if facts.dead_letter_groups > 1 else ""
    return [Finding("busy", f"{letters}{groups}", facts.dead_letters_href)]


def count(number: int, noun: str) -> str:
    """ "1 source", "1,204 sources"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
