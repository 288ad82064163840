"""How a job goes, for whoever looks: on its page, in the sheet it was started from, over the API."""

from datetime import datetime, timedelta
from typing import Literal

import msgspec
from django.utils import timezone

from dlq.jobs import tally
from dlq.jobs.options import Options, read_options
from dlq.jobs.tally import Tally
from dlq.models import JobState, RetryJob
from dlq.retry import NO_WORD_AFTER

Tone = Literal["ok", "busy", "broken", "unknown", "accent"]


class Part(msgspec.Struct, frozen=True):
    """A piece of the bar: how many letters, its share of all in percent, and what they are."""

    tone: Tone
    count: int
    # Where it begins, and how wide it is, in percent.
    start: float
    percent: float
    word: str


class Progress(msgspec.Struct, frozen=True):
    """Where a job stands."""

    job: RetryJob
    options: Options
    tally: Tally
    tone: Tone
    word: str
    sentence: str
    parts: list[Part]
    # Letters a second since it began; None before, or when it is over too soon to say.
    rate_per_s: float | None
    # When the last one will have been sent, at that rate.
    ends_in: timedelta | None
    # Its next change comes without anybody's doing: worth looking again soon.
    is_moving: bool

    @property
    def may_pause(self) -> bool:
        """Whether it can be paused."""
        return not self.job.is_over and self.job.state != JobState.PAUSED

    @property
    def may_resume(self) -> bool:
        """Whether it can be resumed, or started before its time."""
        return self.job.state in (JobState.PAUSED, JobState.SCHEDULED)


# How the reason begins when a person paused the job.
PAUSED_BY = "Paused by "
TONES: dict[str, Tone] = {
    JobState.PAUSED: "unknown",
    JobState.CANCELLED: "unknown",
    JobState.FAILED: "broken",
}


def of(job: RetryJob) -> Progress:
    """How `job` stands now."""
    counted = tally.current(job)
    rate = _rate(job, counted)
    left = counted.waiting + counted.in_flight
    return Progress(
        job=job,
        options=read_options(job.options),
        tally=counted,
        tone=_tone(job, counted),
        word=_word(job, counted),
        sentence=_sentence(job, counted),
        parts=_parts(counted),
        rate_per_s=rate,
        ends_in=timedelta(seconds=left / rate) if rate and left and job.state == JobState.RUNNING else None,
        is_moving=job.state != JobState.PAUSED and (not job.is_finished or counted.awaited > counted.silent),
    )


def _tone(job: RetryJob, counted: Tally) -> Tone:
    if job.state == JobState.PAUSED and not job.reason.startswith(PAUSED_BY):
        return "busy"  # it paused by itself, and waits for a person
    if job.state in TONES:
        return TONES[JobState(job.state)]
    if job.state != JobState.DONE:
        return "accent"
    if counted.returned or counted.not_published or counted.uncertain:
        return "broken"
    return "busy" if counted.awaited else "ok"


def _word(job: RetryJob, counted: Tally) -> str:
    if job.state == JobState.DONE and counted.awaited:
        return "sent"
    return job.get_state_display()


def _sentence(job: RetryJob, counted: Tally) -> str:
    if job.reason and not (job.state == JobState.DONE and counted.total):
        return job.reason
    match JobState(job.state):
        case JobState.QUEUED:
            return f"Its letters are being gathered: {job.marked_count:,} so far."
        case JobState.SCHEDULED:
            return f"{counted.total:,} letters are held for it. It begins by itself."
        case JobState.DONE if counted.awaited:
            minutes = NO_WORD_AFTER.seconds // 60
            if counted.silent == counted.awaited:
                return f"Nothing was heard of {counted.silent:,} for {minutes} minutes; look at their traces."
            return "All are sent. What became of them is told here as it is heard."
        case JobState.DONE if counted.total and counted.succeeded == counted.total:
            return "All of them succeeded."
        case _:
            return ""


def _parts(counted: Tally) -> list[Part]:
    pieces: list[tuple[Tone, int, str]] = [
        ("ok", counted.succeeded, "succeeded"),
        ("accent", counted.awaited, "sent, outcome awaited"),
        ("unknown", counted.no_word, "sent, never heard of"),
        ("broken", counted.returned, "came back"),
        ("broken", counted.not_published, "could not be sent"),
        ("busy", counted.uncertain, "maybe sent"),
        ("unknown", counted.withdrawn, "withdrawn"),
    ]
    found: list[Part] = []
    start = 0.0
    for tone, count, word in pieces:
        if count:
            percent = round(100 * count / counted.total, 3)
            found.append(Part(tone, count, round(start, 3), percent, word))
            start += percent
    return found


def _rate(job: RetryJob, counted: Tally) -> float | None:
    if job.started_at is None or not counted.sent:
        return None
    until: datetime = job.finished_at or timezone.now()
    seconds = (until - job.started_at).total_seconds()
    return counted.sent / seconds if seconds >= 1 else None
