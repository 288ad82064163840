"""How a finding's state follows from what is found and what people decided: a pure function."""

from datetime import datetime
from enum import StrEnum

from monitoring.review.models import State


class Step(StrEnum):
    """What a run changes about a finding; the words stand in its history."""

    NONE = ""
    FOUND = "found"
    RETURNED = "returned"
    GONE = "gone"
    LAPSED = "lapsed"


def advance(
    state: State | None, expires_at: datetime | None, *, is_found: bool, now: datetime
) -> tuple[State | None, Step]:
    """The state after a run that did or did not find it, and what that changes. None: it was never found.

    A decision holds until it expires. What was accepted and went away is open when it returns, for it was to go;
    what was suppressed is no fault, so it stays suppressed, found or not.
    """
    lapsed = expires_at is not None and expires_at <= now
    match state:
        case None | State.GONE:
            if not is_found:
                return state, Step.NONE
            return State.OPEN, Step.FOUND if state is None else Step.RETURNED
        case State.SUPPRESSED if not lapsed:
            return state, Step.NONE
    if not is_found:
        return State.GONE, Step.GONE
    if state is State.OPEN or not lapsed:
        return state, Step.NONE
    return State.OPEN, Step.LAPSED
