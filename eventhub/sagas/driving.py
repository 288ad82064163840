"""Driving sagas: what is due is done, in transactions that hold the step's work and the mark that it is done.

A worker that dies leaves nothing half done: the transaction is gone, and another worker finds the instance as it was,
but for the note that it was in somebody's hands. What was is driven alone, so that a step that ends its worker's
process takes nobody with it, and after some workers it waits for a person.
"""

import random
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

import msgspec
from django.db import Error, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from eventhub.handlers import retry, timeouts
from eventhub.handlers.errors import PermanentError
from eventhub.handlers.retry import Retry, RetryIn
from eventhub.sagas import declaring, steps
from eventhub.sagas.declaring import Action, Definition, Running, Step
from eventhub.sagas.models import ENDED, Entry, Heard, Instance, State
from eventhub.sagas.steps import At, States

# Instances that share a transaction; their steps' locks are held until it commits.
AT_ONCE = 20
# Between the note that an instance is in hand and the lock on it, nobody else takes it.
IN_HAND_S = 2.0
# Workers that an instance may take with it before a person is asked.
MOST_DEATHS = 3
NO_DEFINITION_AGAIN_S = 60.0
MOST_ERROR_CHARS = 2_000


def drive(for_s: float = 2.0, at_once: int = AT_ONCE) -> int:
    """Do what is due, for about `for_s` seconds; how many instances were looked at."""
    until, total = monotonic() + for_s, 0
    while monotonic() < until:
        looked_at = drive_batch(at_once)
        total += looked_at
        if looked_at == 0:
            break
    return total


def drive_batch(at_once: int = AT_ONCE) -> int:
    """Advance some instances that are due and in nobody's hands; how many."""
    taken = _take(at_once)
    if not taken:
        return 0
    try:
        with transaction.atomic():
            for instance in _open().filter(pk__in=taken).order_by("pk"):
                _Drive(instance).advance()
    except Exception:
        # An error is no death: the worker lives to say so.
        Instance.objects.filter(pk__in=taken, tries__gt=0).update(tries=F("tries") - 1)
        raise
    return len(taken)


@transaction.atomic
def _take(at_once: int) -> list[int]:
    """Note which instances are in hand now: some that came through so far, or one that did not, alone."""
    due = _open().filter(due_at__lte=timezone.now()).order_by("due_at").values_list("pk", "tries")[:at_once]
    found = list(due)
    if found and found[0][1]:
        found = found[:1]
    taken = [pk for pk, tries in found if not tries or len(found) == 1]
    in_hand_until = timezone.now() + timedelta(seconds=IN_HAND_S)
    Instance.objects.filter(pk__in=taken).update(tries=F("tries") + 1, due_at=in_hand_until)
    return taken


def _open() -> QuerySet[Instance]:
    """What is under way and in nobody's hands, locked."""
    running = Instance.objects.filter(state__in=(State.RUNNING, State.COMPENSATING))
    return running.select_for_update(skip_locked=True)


class _Drive:
    """One instance, locked, for as long as there is something to do for it."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.entries: list[Entry] = []

    def advance(self) -> None:
        instance = self.instance
        deaths, instance.tries = instance.tries - 1, 0
        if deaths >= MOST_DEATHS:
            instance.reason = (
                f"{deaths} workers ended while they drove it: a step exhausts the memory or ends its process. "
                "Mend the step, then retry."
            )
            self._park()
            instance.save()
            Entry.objects.bulk_create(self.entries)
            return
        definition = declaring.declared().get((instance.saga, instance.version))
        if definition is None:
            instance.reason = (
                f"Version {instance.version} of {instance.saga} is not in the code: it waits for it."
            )
            instance.due_at = timezone.now() + timedelta(seconds=NO_DEFINITION_AGAIN_S)
            instance.save(update_fields=["reason", "due_at", "tries"])
            return
        states = steps.read(definition, instance.steps)
        while instance.state == State.RUNNING and self._run_group(definition, states):
            pass
        while instance.state == State.COMPENSATING and self._undo(definition, states):
            pass
        instance.steps = msgspec.to_builtins(states)
        instance.save()
        Entry.objects.bulk_create(self.entries)

    # -- forwards ---------------------------------------------------------------------------------

    def _run_group(self, definition: Definition, states: States) -> bool:
        """Do what can be done in the group at work; whether there may be more to do now."""
        group = steps.current(definition, states)
        if not group:
            self._end(State.COMPLETED)
            return False
        now = timezone.now()
        for step in group:
            if states[step.name].at is At.PENDING and steps.is_due(states[step.name], now):
                self._attempt(step, states)
            if states[step.name].at is At.WAITING:
                self._listen(step, states, now)
        if (lost := steps.failed(definition, states)) is not None:
            self.instance.reason = f"{lost.name}: {states[lost.name].error}"
            if lost.options.parks:
                self._park()
            else:
                self.instance.state = State.COMPENSATING
                self._note("", "compensating", self.instance.reason)
            return False
        if all(states[step.name].is_over for step in group):
            return True
        self.instance.due_at = steps.look_again_at(definition, states, now)
        return False

    def _attempt(self, step: Step, states: States) -> None:
        state, now = states[step.name], timezone.now()
        state.attempts += 1
        error = self._call(step.action, step, states) if step.action else None
        if error is not None:
            decision = retry.decide(step.options.retry, error, state.attempts, random.random())  # noqa: S311 - jitter
            state.error = _told(error)
            if isinstance(decision, RetryIn):
                state.due_at = now + timedelta(seconds=decision.delay_s)
                self._note(step.name, "failed, tried again", state.error)
            else:
                state.at, state.ended_at = At.FAILED, now
                self._note(step.name, "failed", state.error)
            return
        state.error, state.due_at, state.order = "", None, steps.next_order(states)
        if step.options.waits_for:
            state.at, state.deadline_at = At.WAITING, steps.deadline(step, now)
            self._note(step.name, "waits", ", ".join(step.options.waits_for))
        else:
            state.at, state.ended_at = At.DONE, now
            self._note(step.name, "done")

    def _listen(self, step: Step, states: States, now: datetime) -> None:
        """Take the event it waits for, if it came, or fail when it has waited too long."""
        state, wanted = states[step.name], step.options
        heard = Heard.objects.filter(
            instance=self.instance, used_by="", event_type__in=(*wanted.waits_for, *wanted.fails_on)
        ).first()
        if heard is not None:
            heard.used_by = step.name
            heard.save(update_fields=["used_by"])
            if heard.event_type in wanted.waits_for:
                state.at, state.result = At.DONE, heard.data
                self._note(step.name, "done", heard.event_type)
            else:
                # What it had asked for did not come about: there is nothing to undo.
                state.at, state.error = At.FAILED, f"{heard.event_type} came"
                self._note(step.name, "failed", state.error)
            state.ended_at = now
        elif state.deadline_at is not None and state.deadline_at <= now:
            # It may yet come about: what was asked for is undone, and then the step has failed.
            state.error = f"None of {', '.join(wanted.waits_for)} came within {wanted.wait_s:g} s"
            self.instance.state, self.instance.reason = State.COMPENSATING, f"{step.name}: {state.error}"
            self._note(step.name, "timed out", state.error)

    # -- backwards --------------------------------------------------------------------------------

    def _undo(self, definition: Definition, states: States) -> bool:
        """Compensate the step that took effect last; whether to go on at once."""
        step = steps.to_undo(definition, states)
        if step is None:
            self._end(State.COMPENSATED)
            return False
        state, now = states[step.name], timezone.now()
        if not steps.is_due(state, now):
            self.instance.due_at = state.due_at
            return False
        state.undo_attempts += 1
        undo = step.options.compensate
        error = self._call(undo, step, states) if undo else None
        if error is None:
            state.at, state.due_at, state.ended_at = At.COMPENSATED, None, now
            self._note(step.name, "compensated" if undo else "nothing to undo")
            return True
        policy: Retry = step.options.compensation_retry
        decision = retry.decide(policy, error, state.undo_attempts, random.random())  # noqa: S311 - jitter
        state.error = _told(error)
        self._note(step.name, "compensation failed", state.error)
        if isinstance(decision, RetryIn):
            state.due_at = self.instance.due_at = now + timedelta(seconds=decision.delay_s)
        else:
            self.instance.reason = f"{step.name} could not be undone: {state.error}"
            self._park()
        return False

    # -- both -------------------------------------------------------------------------------------

    def _call(self, action: Action, step: Step, states: States) -> Exception | None:
        """Run a step's function in a savepoint; its error, or None when it succeeded."""
        instance = self.instance
        running = Running(
            instance.pk,
            instance.key,
            instance.correlation_id,
            msgspec.json.decode(msgspec.json.encode(instance.data)),
            {name: state.result for name, state in states.items()},
        )
        try:
            with transaction.atomic(), timeouts.limited(step.options.timeout_s):
                result = msgspec.to_builtins(action(running))
                data = msgspec.to_builtins(running.data)
        except Error as error:
            if transaction.get_connection().needs_rollback or not transaction.get_connection().is_usable():
                raise  # the database went away: the whole transaction is done again
            return error
        except Exception as error:  # noqa: BLE001 - foreign code, whatever it does
            return error
        instance.data = data
        if action is step.action:
            states[step.name].result = result
        return None

    def _park(self) -> None:
        self.instance.state, self.instance.due_at = State.PARKED, None
        self._note("", "waits for a person", self.instance.reason)

    def _end(self, state: State) -> None:
        self.instance.state, self.instance.due_at, self.instance.ended_at = state, None, timezone.now()
        assert self.instance.state in ENDED
        self._note("", state.value)

    def _note(self, step: str, what: str, detail: str = "") -> None:
        self.entries.append(
            Entry(
                instance=self.instance,
                at=timezone.now(),
                step=step,
                what=what,
                detail=detail[:MOST_ERROR_CHARS],
            )
        )


def _told(error: BaseException) -> str:
    text: Any = str(error) or type(error).__name__
    kind = "" if isinstance(error, PermanentError) else f"{type(error).__name__}: "
    return f"{kind}{text}"[:MOST_ERROR_CHARS]
