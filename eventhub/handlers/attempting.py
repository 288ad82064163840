"""One attempt: the handler's function is called with the event, as one piece of a transaction."""

import random
from threading import local
from time import perf_counter

import msgspec
from django.db import Error, OperationalError, connection
from psycopg import errors

from eventhub.events.queries import StoredEvent
from eventhub.handlers import timeouts
from eventhub.handlers.errors import Failure, TemporaryError, TimedOut, failure_of
from eventhub.handlers.registry import Subscription
from eventhub.handlers.retry import Decision, decide
from eventhub.handlers.savepoints import Savepoints
from eventhub.handlers.timeouts import limited
from eventhub.schemas.personal.sealing import opened
from eventhub.schemas.personal.telling import without_personal
from eventhub.schemas.upcasting.catalogue import Upcasters
from eventhub.telemetry.context import bound
from eventhub.telemetry.operations import operation

# The batch's own locks can bring these about; alone, the delivery would have gone through.
_CONFLICTS = (errors.DeadlockDetected, errors.SerializationFailure)


class ConnectionLost(Exception):
    """The database went away under the batch: nothing of it counts, and all of it is tried again."""


class Attempted(msgspec.Struct, frozen=True):
    """How an attempt ended. Without `failure` it succeeded."""

    duration_s: float
    failure: Failure | None = None
    # What follows from the failure.
    decision: Decision | None = None
    # It got in the way of another transaction: as if it had not been tried.
    is_conflict: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether the handler returned."""
        return self.failure is None


def attempt(
    subscription: Subscription, event: StoredEvent, number: int, savepoints: Savepoints, *, alone: bool
) -> Attempted:
    """Call the handler, in the caller's transaction. Of a failed attempt nothing stays in the database.

    `number` is 1 for the first attempt of this run. `alone`: nothing ran before it in this transaction. Raises
    ConnectionLost.
    """
    with (
        bound(handler=subscription.name, event_id=event.event_id, correlation_id=event.correlation_id),
        operation(
            "handlers.attempt",
            eventhub_handler=subscription.name,
            eventhub_event_type=event.event_type,
            eventhub_event_id=event.event_id,
            eventhub_attempt=number,
        ) as told,
    ):
        attempted = _attempt(subscription, event, number, savepoints, alone=alone)
        if attempted.failure is not None:
            told.fail(attempted.failure.error_class)
    return attempted


def _attempt(
    subscription: Subscription, event: StoredEvent, number: int, savepoints: Savepoints, *, alone: bool
) -> Attempted:
    began = perf_counter()
    try:
        savepoints.begin()
        with limited(subscription.timeout_s):
            subscription.function(_as_wanted(subscription, event))
        if connection.needs_rollback:  # it asked for that
            savepoints.undo()
        else:
            savepoints.keep()
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a handler may raise anything
        duration_s = perf_counter() - began
        _undo(savepoints, error)
        is_conflict = isinstance(error, OperationalError) and isinstance(error.__cause__, _CONFLICTS)
        if is_conflict and not alone:
            return Attempted(duration_s, failure_of(error), is_conflict=True)
        judged = TemporaryError() if is_conflict else error
        decision = decide(subscription.retry, judged, number, random.random())  # noqa: S311 - jitter, not a secret
        return Attempted(duration_s, _told(error, event), decision)
    except BaseException:
        savepoints.leave()
        raise
    return Attempted(perf_counter() - began)


_upcasters = local()


def _as_wanted(subscription: Subscription, event: StoredEvent) -> StoredEvent:
    """The event as its producer sent it, in the version that the handler reads. Raises CannotUpcast."""
    event = opened(event)
    if subscription.version is None:
        return event
    if not hasattr(_upcasters, "of_thread"):
        _upcasters.of_thread = Upcasters()
    upcast: StoredEvent = _upcasters.of_thread.read(event, subscription.version)
    return upcast


def _undo(savepoints: Savepoints, error: BaseException) -> None:
    try:
        savepoints.undo()
    except Error:
        raise ConnectionLost(str(error)) from error


def _told(error: BaseException, event: StoredEvent) -> Failure:
    if isinstance(error, TimedOut) and error.__cause__ is not None:
        # Where the handler was when its time was up.
        error.__traceback__ = error.__cause__.__traceback__
        error.__cause__, error.__suppress_context__ = None, True
    failure = failure_of(error, leave_out=(__file__, timeouts.__file__))
    return msgspec.structs.replace(
        failure,
        message=without_personal(failure.message, event.event_type, event.data),
        stack=without_personal(failure.stack, event.event_type, event.data),
    )
