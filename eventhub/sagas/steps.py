"""Where the steps of an instance stand, and what is to be done next: decided here, carried out in driving.py."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from eventhub.sagas.declaring import Definition, Step


class At(StrEnum):
    """Where a step stands."""

    PENDING = "pending"
    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    COMPENSATED = "compensated"


class StepState(msgspec.Struct):
    """Where one step stands, and how often it was tried."""

    at: At = At.PENDING
    attempts: int = 0
    # Not to be tried before.
    due_at: datetime | None = None
    # When it has waited too long for its event.
    deadline_at: datetime | None = None
    # The order in which steps took effect: undone the other way round.
    order: int = 0
    undo_attempts: int = 0
    result: Any = None
    error: str = ""
    ended_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether the next group need not wait for it."""
        return self.at in (At.DONE, At.SKIPPED)

    @property
    def took_effect(self) -> bool:
        """Whether there is something to undo. What waits for an answer has asked already."""
        return self.at in (At.DONE, At.WAITING)


States = dict[str, StepState]


def read(definition: Definition, value: Mapping[str, Any]) -> States:
    """The states of all steps of `definition`, from what an instance keeps."""
    kept = msgspec.convert(value, dict[str, StepState])
    return {step.name: kept.get(step.name, StepState()) for step in definition.steps()}


def current(definition: Definition, states: States) -> tuple[Step, ...]:
    """The steps of the group that is at work, as far as they are not over; () when all is done."""
    for group in definition.groups:
        if left := tuple(step for step in group if not states[step.name].is_over):
            return left
    return ()


def failed(definition: Definition, states: States) -> Step | None:
    """A step that failed for good."""
    return next((step for step in definition.steps() if states[step.name].at is At.FAILED), None)


def to_undo(definition: Definition, states: States) -> Step | None:
    """The next step to compensate: of those that took effect, the one that did so last."""
    left = [step for step in definition.steps() if states[step.name].took_effect]
    return max(left, key=lambda step: states[step.name].order, default=None)


def next_order(states: States) -> int:
    """For the step that takes effect now."""
    return 1 + max((state.order for state in states.values()), default=0)


def is_due(state: StepState, now: datetime) -> bool:
    """Whether it may be tried now."""
    return state.due_at is None or state.due_at <= now


def look_again_at(definition: Definition, states: States, now: datetime) -> datetime | None:
    """When to look at a running instance again without having heard anything; None: not before it hears."""
    times = [
        time
        for step in current(definition, states)
        if (state := states[step.name])
        for time in ((state.due_at or now) if state.at is At.PENDING else state.deadline_at,)
        if time is not None
    ]
    return min(times, default=None)


def deadline(step: Step, now: datetime) -> datetime:
    """Until when it waits for its event."""
    return now + timedelta(seconds=step.options.wait_s)
