"""How an instance of a process stands: decided from what was seen of it, the plan, and the clock. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from eventhub.traces.flow.figures import Usual
from eventhub.traces.models import InstanceState, Role

# Nothing is stuck sooner than this, however fast its steps usually are: events may still be on their way.
PATIENCE_S = 5.0
# Where neither a deadline nor experience says how long a step may take.
UNKNOWN_S = 3600.0


class Passed(msgspec.Struct, frozen=True):
    """An event of the instance."""

    event_type: str
    at: datetime


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """A step of the plan. See ``models.ProcessStep``."""

    event_type: str
    role: str = Role.STEP
    # "": the type that begins the process.
    after: str = ""
    within_s: float | None = None
    undoes: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A named process, in the order of its steps."""

    start_type: str
    steps: tuple[PlannedStep, ...]
    deadline_s: float | None = None

    def of(self, *roles: str) -> list[PlannedStep]:
        """The steps with one of these roles."""
        return [step for step in self.steps if step.role in roles]


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict. `due_at`: when the clock alone may change it."""

    state: InstanceState
    missing_type: str = ""
    missing_after: str = ""
    due_at: datetime | None = None
    # The types whose effect was undone.
    undone: tuple[str, ...] = ()


class _Awaited(msgspec.Struct, frozen=True):
    """A step that should come, after what, and until when."""

    step: PlannedStep
    after: str
    due_at: datetime


def standing_of(
    plan: Plan, passed: Sequence[Passed], usual: Mapping[tuple[str, str], Usual], now: datetime
) -> Standing:
    """How an instance stands of which these events were seen, in any order; at least one of them."""
    at: dict[str, datetime] = {}
    for event in passed:
        at[event.event_type] = min(event.at, at.get(event.event_type, event.at))
    undoing = [step for step in plan.of(Role.FAILURE, Role.COMPENSATION, Role.ABORT) if step.event_type in at]
    if undoing:
        return _undoing(plan, at, usual, now, max(at[step.event_type] for step in undoing))
    ends = plan.of(Role.END)
    if any(step.event_type in at for step in ends):
        return Standing(state=InstanceState.COMPLETED)
    awaited = [
        _await(plan, step, step.after or plan.start_type, at, usual)
        for step in plan.of(Role.STEP, Role.END)
        if step.event_type not in at and (step.after or plan.start_type) in at
    ]
    if not awaited:
        return Standing(state=InstanceState.RUNNING if ends else InstanceState.COMPLETED)
    return _waiting(awaited, InstanceState.RUNNING, now)


def _undoing(
    plan: Plan,
    at: Mapping[str, datetime],
    usual: Mapping[tuple[str, str], Usual],
    now: datetime,
    since: datetime,
) -> Standing:
    """Something went wrong: what was done is undone, and then it is over."""
    needed = [step for step in plan.of(Role.COMPENSATION) if step.undoes in at]
    undone = tuple(step.undoes for step in needed if step.event_type in at)
    aborts = plan.of(Role.ABORT)
    left = [step for step in needed if step.event_type not in at]
    if aborts and not any(step.event_type in at for step in aborts):
        left += aborts
    if not left:
        return Standing(state=InstanceState.COMPENSATED, undone=undone)
    awaited = []
    for step in left:
        after = step.after if step.after in at else _latest(at)
        awaited.append(_await(plan, step, after, at, usual, since))
    standing = _waiting(awaited, InstanceState.COMPENSATING, now)
    return msgspec.structs.replace(standing, undone=undone)


def _await(
    plan: Plan,
    step: PlannedStep,
    after: str,
    at: Mapping[str, datetime],
    usual: Mapping[tuple[str, str], Usual],
    since: datetime | None = None,
) -> _Awaited:
    known = usual.get((after, step.event_type))
    if step.within_s is not None:
        patience_s = step.within_s
    elif known is not None:
        patience_s = max(known.p99_s, PATIENCE_S)
    else:
        patience_s = plan.deadline_s if plan.deadline_s is not None else UNKNOWN_S
    due_at = max(at[after], since or at[after]) + timedelta(seconds=patience_s)
    if plan.deadline_s is not None and since is None:
        due_at = min(due_at, at.get(plan.start_type, at[after]) + timedelta(seconds=plan.deadline_s))
    return _Awaited(step, after, due_at)


def _waiting(awaited: Sequence[_Awaited], patient: InstanceState, now: datetime) -> Standing:
    """Of several steps the one that is due first decides."""
    first = min(awaited, key=lambda one: one.due_at)
    stuck = now > first.due_at
    return Standing(
        state=InstanceState.STUCK if stuck else patient,
        missing_type=first.step.event_type,
        missing_after=first.after,
        due_at=None if stuck else first.due_at,
    )


def _latest(at: Mapping[str, datetime]) -> str:
    return max(at, key=lambda name: (at[name], name))
