"""What a worker does next with a job: decided here from facts, carried out in ``driving``."""

from datetime import datetime
from typing import Literal

import msgspec

from dlq.jobs import ramp
from dlq.jobs.options import Options
from dlq.jobs.ramp import Look
from dlq.jobs.tally import Tally
from dlq.models import JobState

Do = Literal["mark", "wait", "send", "canary", "pass", "release", "pause", "end", "nothing"]
# Looking again for outcomes.
LOOK_EVERY_S = 1.0


class Facts(msgspec.Struct, frozen=True):
    """A job at a moment."""

    state: JobState
    now: datetime
    tally: Tally
    is_marked: bool = True
    start_at: datetime | None = None
    canary_passed: bool = False
    step: int = 0
    look: Look = Look()
    # Since the canary was sent; None before.
    canary_sent_s: float | None = None


class Next(msgspec.Struct, frozen=True):
    """What to do: send at most `limit`, wait so long, pause or end with the reason."""

    do: Do
    limit: int = 0
    wait_s: float = 0.0
    state: JobState | None = None
    why: str = ""


def plan(facts: Facts, options: Options) -> Next:
    """The next step of a job."""
    if facts.state in (JobState.DONE, JobState.CANCELLED, JobState.FAILED):
        return Next("release") if facts.tally.waiting else Next("nothing")
    if facts.state == JobState.PAUSED:
        return Next("nothing")
    if not facts.is_marked:
        return Next("mark")
    if facts.start_at and facts.now < facts.start_at and facts.state in (JobState.QUEUED, JobState.SCHEDULED):
        return Next("wait", wait_s=(facts.start_at - facts.now).total_seconds(), state=JobState.SCHEDULED)
    if not facts.tally.waiting:
        return _end(facts)
    if options.canary and not facts.canary_passed:
        return _canary(facts, options)
    if options.ramp and facts.step:
        decision = ramp.decide(facts.look, options.limit or 0.0, options.ramp_wait_s)
        if decision.verdict == "stop":
            return Next("pause", why=decision.why)
        if decision.verdict == "wait" and ramp.is_growing(facts.step, options.batch_size):
            return Next("wait", wait_s=LOOK_EVERY_S, state=JobState.RUNNING, why=decision.why)
    elif options.limit is not None and (why := ramp.too_many_return(facts.look, options.limit)):
        return Next("pause", why=why)
    limit = ramp.size_of(facts.step, options.batch_size) if options.ramp else options.batch_size
    return Next("send", limit=limit, state=JobState.RUNNING)


def _canary(facts: Facts, options: Options) -> Next:
    tally = facts.tally
    size = min(options.canary, tally.total)
    tried = tally.sent + tally.in_flight + tally.not_published + tally.uncertain
    if tried < size:
        return Next("canary", limit=size - tried, state=JobState.CANARY)
    if failed := tally.returned + tally.not_published + tally.uncertain:
        return Next(
            "pause",
            why=f"The canary failed: {failed:,} of {size:,} came back or could not be sent. "
            f"The other {tally.waiting:,} were not sent. Look at what it died of, then resume or cancel.",
        )
    if tally.succeeded >= size or (facts.canary_sent_s or 0.0) >= options.canary_wait_s:
        return Next("pass", state=JobState.RUNNING)
    return Next(
        "wait",
        wait_s=LOOK_EVERY_S,
        state=JobState.CANARY,
        why=f"{tally.succeeded:,} of {size:,} canary letters succeeded; the others are awaited.",
    )


def _end(facts: Facts) -> Next:
    tally = facts.tally
    if tally.in_flight:
        return Next("wait", wait_s=LOOK_EVERY_S)
    if tally.total and not tally.sent and not tally.withdrawn:
        return Next("end", state=JobState.FAILED, why="None of its letters could be sent.")
    return Next("end", state=JobState.DONE)
