"""What happened to one letter, in order: every failure, every retry, and how it ended."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from dlq.models import DeadLetter, PastFailure, Reason, Retry, RetryState, Status
from dlq.retry import is_silent

Kind = Literal["failure", "retry", "end"]
Tone = Literal["ok", "busy", "broken", "unknown", "accent"]


class Step(msgspec.Struct, frozen=True):
    """One thing that happened."""

    kind: Kind
    tone: Tone
    at: datetime
    title: str
    who: str = ""
    detail: str = ""
    stack: str = ""
    job_id: int | None = None


class Standing(msgspec.Struct, frozen=True):
    """Where a letter stands, in a word and a sentence."""

    tone: Tone
    word: str
    sentence: str
    # Its next change comes without anybody's doing: worth looking again soon.
    is_moving: bool = False
    # The retry job that it waits in.
    job_id: int | None = None


def standing(letter: DeadLetter, latest: Retry | None) -> Standing:
    """Where `letter` stands, given its latest retry."""
    if latest and latest.state == RetryState.CLAIMED:
        if latest.publish_started_at:
            words = f"It may have been sent: its retry for {latest.requested_by} was interrupted, and is made up for."
            return Standing("busy", "being sent", words, True, latest.job_id)
        words = f"It waits in retry job {latest.job_id}, for {latest.requested_by}."
        return Standing("busy", "waits in a job", words, True, latest.job_id)
    if letter.status == Status.SENT:
        if is_silent(letter):
            return Standing(
                "unknown",
                "sent, no word yet",
                "Its retry was published, and nothing has been heard since: neither success nor another failure. "
                "Look at its trace, then mark it resolved or send it again.",
                True,
            )
        return Standing(
            "busy", "sent", f"Its retry was published; {_awaited(letter)} will tell whether it helped.", True
        )
    if letter.status == Status.RESOLVED:
        return Standing("ok", "resolved", letter.closed_note or "It is resolved.")
    if letter.status == Status.DISCARDED:
        return Standing("unknown", "discarded", f"{letter.closed_by} discarded it: {letter.closed_note}")
    if latest and latest.state == RetryState.FAILED_AGAIN:
        return Standing(
            "broken",
            f"came back, attempt {letter.attempts}",
            "It was sent again and died again of what is below.",
        )
    if latest and latest.state == RetryState.UNCERTAIN:
        return Standing("busy", "open, maybe sent", latest.error)
    if latest and latest.state == RetryState.NOT_PUBLISHED:
        return Standing("broken", "open, not sent", f"The last retry did not get out: {latest.error}")
    return Standing("broken", "open", "")


def what_happened(letter: DeadLetter) -> str:
    """One sentence for people: who failed on what, and how."""
    what = letter.event_type or "a message"
    source = letter.source.name
    match Reason(letter.reason):
        case Reason.SERVICE:
            who = letter.failed_in or "A service"
            times = f" after {letter.attempts} attempts" if letter.attempts > 1 else ""
            return f"{who} gave up on {what}{times}."
        case Reason.UNDECODABLE:
            return f"A message on {letter.read_from or source} could not be read as an event."
        case Reason.INVALID:
            return f"A message on {letter.read_from or source} does not fit the schema of {what}."
        case Reason.UNSTORABLE:
            return f"{what[:1].upper()}{what[1:]} from {letter.read_from or source} could not be stored."


def steps(letter: DeadLetter, retries: Sequence[Retry], past: Sequence[PastFailure]) -> list[Step]:
    """The letter's history, the newest first."""
    return sorted(_steps(letter, retries, past), key=lambda step: step.at, reverse=True)


def _steps(letter: DeadLetter, retries: Sequence[Retry], past: Sequence[PastFailure]) -> Iterator[Step]:
    who = letter.failed_in or letter.source.name
    for failure in past:
        yield Step(
            "failure",
            "broken",
            failure.failed_at,
            f"Failed, attempt {failure.attempt}",
            who,
            _said(failure.error_class, failure.error_message),
            failure.stack,
        )
    yield Step(
        "failure",
        "broken",
        letter.last_failed_at,
        f"Failed, attempt {letter.attempts}" if letter.attempts > 1 or past else "Failed",
        who,
        _said(letter.error_class, letter.error_message),
    )
    for retry in retries:
        yield _retried(retry)
    if letter.closed_at and letter.status == Status.DISCARDED:
        yield Step("end", "unknown", letter.closed_at, "Discarded", letter.closed_by, letter.closed_note)
    elif letter.closed_at:
        yield Step("end", "ok", letter.closed_at, "Resolved", letter.closed_by, letter.closed_note)


def _retried(retry: Retry) -> Step:
    tones: dict[RetryState, Tone] = {
        RetryState.SUCCEEDED: "ok",
        RetryState.FAILED_AGAIN: "broken",
        RetryState.NOT_PUBLISHED: "broken",
        RetryState.NO_WORD: "unknown",
        RetryState.WITHDRAWN: "unknown",
    }
    state = RetryState(retry.state)
    outcome = {
        RetryState.CLAIMED: "Interrupted" if retry.publish_started_at else "Waits for its turn",
        RetryState.PUBLISHED: "Sent, outcome not known yet",
        RetryState.SUCCEEDED: "Sent, and it helped",
        RetryState.FAILED_AGAIN: "Sent, and it came back",
        RetryState.NOT_PUBLISHED: "Could not be sent",
        RetryState.UNCERTAIN: "Interrupted: it may have been sent",
        RetryState.NO_WORD: "Sent, never heard of again",
        RetryState.WITHDRAWN: "Not sent",
    }[state]
    # What it came back with is the next failure's own line.
    error = "" if state == RetryState.FAILED_AGAIN else retry.error
    return Step(
        "retry",
        tones.get(state, "busy"),
        retry.published_at or retry.requested_at,
        f"Retry, attempt {retry.attempt}: {outcome[:1].lower()}{outcome[1:]}",
        retry.requested_by,
        error or (f"to {retry.destination}" if retry.destination else ""),
        job_id=retry.job_id,
    )


def _said(error_class: str, message: str) -> str:
    return f"{error_class}: {message}" if error_class and message else error_class or message


def _awaited(letter: DeadLetter) -> str:
    if letter.reason == Reason.SERVICE:
        return f"a receipt from {letter.failed_in or 'the service'}"
    return "EventHub's reading of it"
