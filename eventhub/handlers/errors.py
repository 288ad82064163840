"""What a handler raises to say how it failed, and what EventHub says when it failed otherwise."""

import traceback
from collections.abc import Collection

import msgspec
from django.conf import settings

MAX_STACK_CHARS = 20_000
MAX_MESSAGE_CHARS = 5_000


class TemporaryError(Exception):
    """It may work later: the delivery is tried again as the handler's retry policy says.

    `retry_after_s`: not before so many seconds, e.g. what a ``Retry-After`` header asked for.
    """

    def __init__(self, *args: object, retry_after_s: float | None = None) -> None:
        super().__init__(*args)
        self.retry_after_s = retry_after_s


class PermanentError(Exception):
    """It will never work: the event becomes a dead letter at once."""


class TimedOut(TemporaryError):
    """The handler took longer than its ``timeout_s``. Counts as any other failed attempt."""


class WorkerLost(Exception):
    """The worker's process was gone while it handled the event: killed, out of memory, or crashed."""


class Failure(msgspec.Struct, frozen=True):
    """What is kept of an error: its class, its message, its traceback from the handler's own frame on."""

    error_class: str
    message: str
    stack: str


def failure_of(error: BaseException, leave_out: Collection[str] = ()) -> Failure:
    """What to keep of `error`; frames of the files in `leave_out` are of no interest.

    Never raises: an error whose ``str`` fails is told by its class.
    """
    try:
        message = str(error)
    except Exception as second:  # noqa: BLE001 - foreign code, whatever it does
        message = f"(its message cannot be shown: {type(second).__name__})"
    return Failure(class_name(type(error)), message[:MAX_MESSAGE_CHARS], _stack(error, leave_out))


def class_name(kind: type[BaseException]) -> str:
    """The full name of an error's class, e.g. ``decimal.InvalidOperation``."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _stack(error: BaseException, leave_out: Collection[str]) -> str:
    try:
        told = traceback.TracebackException(type(error), error, error.__traceback__)
        told.stack = traceback.StackSummary.from_list(
            [frame for frame in told.stack if frame.filename not in leave_out]
        )
        text = "".join(told.format())
    except Exception:  # noqa: BLE001 - as above
        text = "".join(traceback.format_tb(error.__traceback__))
    # Paths from the project's root on are the same on every machine.
    return text.replace(f"{settings.BASE_DIR}/", "")[-MAX_STACK_CHARS:]
