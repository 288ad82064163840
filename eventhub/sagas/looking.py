"""Instances as the pages and the API show them."""

from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpRequest

from eventhub.events import queries
from eventhub.sagas import declaring, steps
from eventhub.sagas.models import ENDED, Entry, Instance, State
from eventhub.sagas.steps import At, StepState
from eventhub.schemas.personal.marks import fields
from eventhub.schemas.personal.showing import told_of

PER_PAGE = 50
# Of a saga, so many events are looked through for personal data.
MOST_EVENTS = 500
LEVELS = {
    State.RUNNING: "busy",
    State.COMPENSATING: "busy",
    State.PARKED: "broken",
    State.COMPLETED: "ok",
    State.COMPENSATED: "unknown",
}
WORDS = {At.PENDING: "not begun", At.WAITING: "waits", At.DONE: "done", At.FAILED: "failed"}


class StepLook(msgspec.Struct, frozen=True):
    """One step of an instance."""

    name: str
    at: str
    word: str
    attempts: int
    waits_for: tuple[str, ...]
    due_at: datetime | None
    error: str
    can_retry: bool
    can_skip: bool


class Look(msgspec.Struct, frozen=True):
    """One instance with its steps in groups, as they run."""

    id: int
    saga: str
    version: int
    key: str
    correlation_id: str
    state: str
    level: str
    word: str
    reason: str
    data: Any
    began_at: datetime
    ended_at: datetime | None
    groups: list[list[StepLook]]
    can_compensate: bool


def instances(
    *, saga: str = "", state: str = "", key: str = "", before: int | None = None, limit: int = PER_PAGE
) -> list[Instance]:
    """The newest first, below the id `before`."""
    found = Instance.objects.all()
    if saga:
        found = found.filter(saga=saga)
    if state:
        found = found.filter(state=state)
    if key:
        found = found.filter(key=key)
    if before is not None:
        found = found.filter(pk__lt=before)
    return list(found.order_by("-pk")[:limit])


def look(instance: Instance) -> Look:
    """`instance` for people. Where its version is not in the code, its steps are told as they were kept."""
    definition = declaring.declared().get((instance.saga, instance.version))
    state = State(instance.state)
    if definition is None:
        kept = msgspec.convert(instance.steps, dict[str, StepState])
        groups = [[_step(name, one, (), False, False)] for name, one in kept.items()]
    else:
        states = steps.read(definition, instance.steps)
        current = {step.name for step in steps.current(definition, states)}
        undone = steps.to_undo(definition, states)
        is_back = state == State.COMPENSATING or (
            state == State.PARKED and any(one.undo_attempts for one in states.values())
        )
        is_open = state not in ENDED
        groups = [
            [
                _step(
                    step.name,
                    one := states[step.name],
                    step.options.waits_for,
                    is_open and _at_work(step.name, is_back, undone, current) and one.at is not At.WAITING,
                    is_open and _at_work(step.name, is_back, undone, current),
                )
                for step in group
            ]
            for group in definition.groups
        ]
    return Look(
        instance.pk,
        instance.saga,
        instance.version,
        instance.key,
        instance.correlation_id,
        state.value,
        LEVELS[state],
        state.label.lower(),
        instance.reason,
        instance.data,
        instance.began_at,
        instance.ended_at,
        groups,
        state in (State.RUNNING, State.PARKED) and definition is not None,
    )


def shown(request: HttpRequest, instance: Instance) -> Look:
    """`look`, as whoever asks may see it."""
    found = look(instance)
    if not fields.any_marked():
        return found
    return msgspec.convert(shown_value(request, instance, msgspec.to_builtins(found)), Look)


def shown_history(request: HttpRequest, instance: Instance) -> list[Entry]:
    """`history`, as whoever asks may see it."""
    found = history(instance)
    for one in found:
        one.detail = shown_value(request, instance, one.detail)
    return found


def shown_value(request: HttpRequest, instance: Instance, value: Any) -> Any:
    """Something that came of the events of an instance, as whoever asks may see it."""
    if not fields.any_marked():
        return value
    return told_of(request, value, queries.events_by_correlation(instance.correlation_id, MOST_EVENTS))


def history(instance: Instance, most: int = 200) -> list[Entry]:
    """What happened to it, the latest first."""
    return list(instance.history.order_by("-id")[:most])


def _at_work(name: str, is_back: bool, undone: declaring.Step | None, current: set[str]) -> bool:
    return (undone is not None and undone.name == name) if is_back else name in current


def _step(
    name: str, state: StepState, waits_for: tuple[str, ...], can_retry: bool, can_skip: bool
) -> StepLook:
    tries = state.undo_attempts or state.attempts
    word = WORDS.get(state.at, state.at.value)
    if state.at is At.PENDING and state.attempts:
        word = "will be tried again"
    return StepLook(
        name, state.at.value, word, tries, waits_for, state.due_at, state.error, can_retry, can_skip
    )
