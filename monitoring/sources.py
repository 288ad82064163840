"""How a source stands: decided from its workers' heartbeats."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from eventhub.brokers.adapter import is_polled
from eventhub.brokers.models import Source, SourceStatus, State

Level = Literal["ok", "busy", "broken", "unknown"]

# Workers write a heartbeat every two seconds; one that is older than this is gone.
ALIVE_FOR = timedelta(seconds=10)


class Standing(msgspec.Struct, frozen=True):
    """The state of a source in a word, how bad it is, and what to do about it (empty when nothing)."""

    word: str
    level: Level
    advice: str = ""


def alive(statuses: Sequence[SourceStatus], now: datetime) -> list[SourceStatus]:
    """The heartbeats of workers that still run."""
    return [s for s in statuses if now - s.heartbeat_at < ALIVE_FOR]


def judge(source: Source, statuses: Sequence[SourceStatus], now: datetime) -> Standing:
    """How `source` stands, from all heartbeats there are of it."""
    if not source.enabled:
        return Standing("off", "unknown", "It is switched off: no worker runs it.")
    if not is_polled(source):
        if source.paused:
            return Standing("paused", "unknown")
        return Standing("listening", "ok")
    workers = alive(statuses, now)
    if source.paused:
        return Standing("paused", "unknown", "It reads nothing until it is resumed.")
    if not workers:
        return Standing(
            "no worker", "broken", "No ingest worker runs it. Start one: celery -A eventhub worker --ingest"
        )
    states = [w.state for w in workers]
    failing = states.count(State.FAILING)
    if failing == len(states):
        return Standing("failing", "broken", "It is tried again with growing pauses.")
    if failing:
        return Standing(f"failing on {failing} of {len(states)}", "busy", "Other workers carry it.")
    if State.RUNNING in states:
        return Standing("running", "ok")
    if State.STARTING in states:
        return Standing("starting", "busy")
    if State.PAUSED in states:
        return Standing("resuming", "busy")
    return Standing("stopped", "broken", "Its workers are shutting down.")


def last_error(statuses: Sequence[SourceStatus]) -> tuple[str, datetime | None]:
    """The newest error any worker had with it, and when; ("", None) when there was none."""
    errors = [s for s in statuses if s.last_error and s.last_error_at]
    if not errors:
        return "", None
    newest = max(errors, key=lambda s: s.last_error_at)  # type: ignore[arg-type, return-value]
    return newest.last_error, newest.last_error_at
