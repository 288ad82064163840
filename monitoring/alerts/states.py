"""An alert's life, decided: it fires when its condition held long enough, and clears when it was over long enough."""

from datetime import datetime, timedelta
from enum import StrEnum

import msgspec


class Step(StrEnum):
    """What became of an alert at one look."""

    NONE = "none"
    BEGIN = "begin"
    FIRE = "fire"
    CLEAR = "clear"
    # The condition was over before it fired: nobody hears of it.
    FORGET = "forget"


class Life(msgspec.Struct, frozen=True):
    """Where an open alert is."""

    since: datetime
    last_true_at: datetime
    fired_at: datetime | None = None


def advance(
    life: Life | None, is_true: bool, now: datetime, for_s: float, keep_s: float
) -> tuple[Life | None, Step]:
    """The alert after looking at its condition at `now`, and what to do about it.

    `for_s`: the condition has to hold so long before it fires; `keep_s`: it has to be over so long before it clears.
    So what goes up and down faster than that neither fires again nor clears.
    """
    if life is None:
        if not is_true:
            return None, Step.NONE
        if for_s <= 0:
            return Life(now, now, now), Step.FIRE
        return Life(now, now), Step.BEGIN
    if is_true:
        if life.fired_at is None and (now - life.since).total_seconds() >= for_s:
            return Life(life.since, now, now), Step.FIRE
        return Life(life.since, now, life.fired_at), Step.NONE
    if life.fired_at is None:
        return None, Step.FORGET
    if now - life.last_true_at >= timedelta(seconds=keep_s):
        return None, Step.CLEAR
    return life, Step.NONE
