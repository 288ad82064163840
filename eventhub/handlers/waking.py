"""Hastening: a task tells a worker that there is something for handlers. Rows are the truth; a task that is lost, or
could not be sent, costs a few seconds, after which the sweep sends another.

A task does not say for which handler: whoever takes it up looks who needs it most (``eventhub/handlers/turns.py``).

No more of them are on their way than workers could be meant. Were there one for each batch of events, they would pile
up whenever workers are busy with something else for a while, and from then on only old ones would be taken up.
"""

import logging
from math import ceil
from time import monotonic

from celery import current_app
from django.conf import settings
from django.core.cache import cache
from kombu.exceptions import OperationalError

from eventhub.handlers import registry
from eventhub.running.cache import away

log = logging.getLogger(__name__)

WORK = "handlers.work"
REPLAY = "handlers.replay"
QUEUE = "handlers"
# No more are woken at once. Those that are go on while there is work for them, and the sweep wakes more.
MOST_WOKEN = 8
# A task nobody took up for this long is not needed any more: others have been sent.
EXPIRES_S = 60
# Until one is taken up, or so long, it is on its way and no other is sent in its place. A lost one costs that long.
ON_ITS_WAY_S = 3
# Beyond the handler's own timeout: the time in which a task's process is surely not at work any more.
GRACE_S = 60
PATIENCE_S = 1.0
LEFT_IN_PEACE_S = 15.0


def wake(workers: int = 1) -> None:
    """Tell so many workers that there is something to do. Never raises."""
    timeouts = [ceil(one.timeout_s) + GRACE_S for one in registry.subscriptions().values()]
    longest_s = max([int(settings.CELERY_TASK_TIME_LIMIT), *timeouts])
    for number in range(min(workers, MOST_WOKEN)):
        if (cache.add(_key(number), 1, ON_ITS_WAY_S) or away.is_so()) and not _send(WORK, longest_s, number):
            cache.delete(_key(number))
            return


def taken_up(number: int) -> None:
    """A task that `wake` sent has been taken up: another may be sent in its place."""
    cache.delete(_key(number))


def wake_replays() -> None:
    """Tell a worker that there is a replay to carry on. Never raises."""
    _send(REPLAY, int(settings.CELERY_TASK_TIME_LIMIT))


def _key(number: int) -> str:
    return f"handlers.woken.{number}"


class _Hanging:
    """A broker that let somebody wait is left in peace for a while: there are events in hand."""

    until = float("-inf")


def _send(task: str, longest_s: int, *args: int) -> bool:
    began = monotonic()
    if began < _Hanging.until:
        return False
    try:
        current_app.send_task(
            task,
            args,
            queue=QUEUE,
            expires=EXPIRES_S,
            retry=False,
            ignore_result=True,
            time_limit=longest_s,
            soft_time_limit=longest_s - 10,
        )
    except (OperationalError, OSError) as error:
        log.warning("Workers could not be woken; the sweep will: %s", error)
        if monotonic() - began > PATIENCE_S:
            _Hanging.until = monotonic() + LEFT_IN_PEACE_S
        return False
    return True
