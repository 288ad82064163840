"""What is wrong with a source and what to do about it, decided from what its workers last said."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from eventhub.brokers.failures import ADVICE, Problem, problem_in
from eventhub.brokers.models import Source, SourceStatus, State
from monitoring.sources import alive

# An error of a worker that runs again is told for this long.
RECENT = timedelta(seconds=60)
# As many restarts as this are no accident.
AGAIN_AND_AGAIN = 3
# Errors of the database are called so, by psycopg and by Django.
OF_THE_DATABASE = {
    "OperationalError",
    "InterfaceError",
    "DatabaseError",
    "DataError",
    "IntegrityError",
    "InternalError",
    "ProgrammingError",
    "NotSupportedError",
}
OF_THE_BROKER = {"BrokerError", "Refused"}
OF_THE_SETTINGS = {"BadConfig"}
NOTHING_IS_LOST = (
    "Nothing is lost: what was not stored is not acknowledged, and the broker delivers it again."
)


class Trouble(msgspec.Struct, frozen=True):
    """What is wrong, in words."""

    level: Literal["broken", "busy"]
    word: str
    title: str
    # The last error, without the name of its class.
    text: str
    at: datetime
    # What to do, a sentence or two each, the likeliest first.
    advice: tuple[str, ...]
    workers: tuple[str, ...]
    restarts: int
    # When the first of these workers started it.
    since: datetime


def trouble_of(source: Source, statuses: Sequence[SourceStatus], now: datetime) -> Trouble | None:
    """The trouble with `source` now; None when there is none, or when nobody runs it."""
    if source.paused or not source.enabled:
        return None
    workers = alive(statuses, now)
    failing = [one for one in workers if one.state == State.FAILING]
    recent = [one for one in workers if one.last_error_at and now - one.last_error_at < RECENT]
    concerned = [one for one in failing or recent if one.last_error and one.last_error_at]
    if not concerned:
        return None
    newest = max(concerned, key=lambda one: one.last_error_at or now)
    restarts = max(one.restarts for one in concerned)
    word, text, advice = _explain(newest.last_error)
    if not failing:
        title = "It goes on, and something was wrong a moment ago."
    elif restarts >= AGAIN_AND_AGAIN:
        title = "It fails again and again."
        advice += ("Until it is repaired it can be paused: then nothing is tried, and nothing is lost.",)
    else:
        title = "It failed, and is begun again."
    return Trouble(
        level="broken" if len(failing) == len(workers) else "busy",
        word=word,
        title=title,
        text=text,
        at=newest.last_error_at or now,
        advice=advice,
        workers=tuple(sorted(one.worker for one in concerned)),
        restarts=restarts,
        since=min(one.started_at for one in concerned),
    )


def _explain(error: str) -> tuple[str, str, tuple[str, ...]]:
    """A word for an error as workers write it, its text, and what to do."""
    name, _, rest = error.partition(": ")
    if name in OF_THE_SETTINGS:
        return Problem.SETTINGS, rest, (ADVICE[Problem.SETTINGS],)
    if name in OF_THE_BROKER or " " in name:  # what a worker that goes on says has no class
        text = rest if name in OF_THE_BROKER else error
        problem = problem_in(text)
        return problem, text, (ADVICE[problem], NOTHING_IS_LOST)
    if name in OF_THE_DATABASE:
        return (
            "not stored",
            error,
            (
                "This is PostgreSQL's answer, not the broker's: what was read could not be stored. See that it runs, "
                "has room on its disk, and is migrated (python manage.py prepare).",
                NOTHING_IS_LOST,
            ),
        )
    return (
        "failed",
        error,
        (
            "This is rather a mistake of EventHub than of your settings. When it comes back with every attempt, a "
            "message may be the cause: Edit, then Look at ten messages, shows how each would be read.",
            "The log of the worker has the whole error.",
            NOTHING_IS_LOST,
        ),
    )
