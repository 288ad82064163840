"""Hastening: a task tells a worker that there is something for handlers. Rows are the truth; a task that is lost, or
could not be sent, costs a second, after which the sweep sends another.

A task does not say for which handler: whoever takes it up looks who needs it most (``eventhub/handlers/turns.py``).
"""

import logging
from math import ceil

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from eventhub.handlers import registry

log = logging.getLogger(__name__)

WORK = "handlers.work"
REPLAY = "handlers.replay"
QUEUE = "handlers"
# No more are woken at once. Those that are go on while there is work for them, and the sweep wakes more.
MOST_WOKEN = 8
# A task nobody took up for this long is not needed any more: the sweep has sent others.
EXPIRES_S = 10
# Beyond the handler's own timeout: the time in which a task's process is surely not at work any more.
GRACE_S = 60


def wake(workers: int = 1) -> None:
    """Tell so many workers that there is something to do. Never raises."""
    timeouts = [ceil(one.timeout_s) + GRACE_S for one in registry.subscriptions().values()]
    longest_s = max([int(settings.CELERY_TASK_TIME_LIMIT), *timeouts])
    for _ in range(min(workers, MOST_WOKEN)):
        if not _send(WORK, longest_s):
            return


def wake_replays() -> None:
    """Tell a worker that there is a replay to carry on. Never raises."""
    _send(REPLAY, int(settings.CELERY_TASK_TIME_LIMIT))


def _send(task: str, longest_s: int) -> bool:
    try:
        current_app.send_task(
            task,
            queue=QUEUE,
            expires=EXPIRES_S,
            retry=False,
            ignore_result=True,
            time_limit=longest_s,
            soft_time_limit=longest_s - 10,
        )
    except (OperationalError, OSError) as error:
        log.warning("Workers could not be woken; the sweep will: %s", error)
        return False
    return True
