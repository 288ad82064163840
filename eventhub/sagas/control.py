"""What people do with an instance: try a step again, skip it, compensate now. Noted in the audit log."""

import msgspec
from django.db import transaction
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.audit import Actor
from eventhub.sagas import declaring, steps
from eventhub.sagas.declaring import Definition
from eventhub.sagas.models import ENDED, Entry, Instance, State
from eventhub.sagas.steps import At, States


class NotPossible(Exception):
    """What was asked for makes no sense as the instance stands. The text says why."""


def retry_step(pk: int, step: str, actor: Actor) -> Instance:
    """Try the step (or, on the way back, its compensation) again now, with all its attempts. Raises NotPossible."""
    return _change(pk, step, actor, "retry")


def skip_step(pk: int, step: str, actor: Actor) -> Instance:
    """Go on as if the step were done, or on the way back as if it were undone. Raises NotPossible."""
    return _change(pk, step, actor, "skip")


@transaction.atomic
def compensate(pk: int, actor: Actor) -> Instance:
    """Undo what was done so far, whatever the instance waits for. Raises NotPossible."""
    instance, _, states = _open(pk)
    if instance.state == State.COMPENSATING:
        raise NotPossible("It is being compensated already.")
    instance.reason = f"Compensated by {actor.name}."
    return _save(instance, states, State.COMPENSATING, actor, "compensate", "")


@transaction.atomic
def _change(pk: int, name: str, actor: Actor, verb: str) -> Instance:
    instance, definition, states = _open(pk)
    try:
        step = definition.step(name)
    except LookupError as error:
        raise NotPossible(str(error)) from error
    state, is_back = states[name], _is_on_the_way_back(instance, definition, states)
    if is_back:
        if (first := steps.to_undo(definition, states)) is None or first.name != name:
            raise NotPossible(f"{name} is not what is being undone now.")
        state.undo_attempts, state.due_at = 0, None
        if verb == "skip":
            state.at = At.COMPENSATED
    else:
        if step not in steps.current(definition, states):
            raise NotPossible(f"{name} is not at work now: it is {state.at.value}.")
        if verb == "retry" and state.at is At.WAITING:
            raise NotPossible(f"{name} has been done and waits for {', '.join(step.options.waits_for)}.")
        state.attempts, state.due_at, state.deadline_at, state.error = 0, None, None, ""
        state.at = At.SKIPPED if verb == "skip" else At.PENDING
    return _save(instance, states, State.COMPENSATING if is_back else State.RUNNING, actor, verb, name)


def _is_on_the_way_back(instance: Instance, definition: Definition, states: States) -> bool:
    if instance.state != State.PARKED:
        return instance.state == State.COMPENSATING
    return any(state.at is At.COMPENSATED or state.undo_attempts for state in states.values())


def _open(pk: int) -> tuple[Instance, Definition, States]:
    instance = Instance.objects.select_for_update().get(pk=pk)
    if instance.state in ENDED:
        raise NotPossible(f"It is {instance.state}: nothing can be changed any more.")
    definition = declaring.declared().get((instance.saga, instance.version))
    if definition is None:
        raise NotPossible(f"Version {instance.version} of {instance.saga} is not in the code.")
    return instance, definition, steps.read(definition, instance.steps)


def _save(instance: Instance, states: States, state: State, actor: Actor, verb: str, step: str) -> Instance:
    instance.state, instance.due_at = state, timezone.now()
    instance.steps = msgspec.to_builtins(states)
    instance.save()
    Entry.objects.create(instance=instance, at=timezone.now(), step=step, what=f"{verb} by {actor.name}"[:40])
    audit.record(actor, verb, f"saga {instance.saga} {instance.key}", step=step)
    return instance
