"""Hastening: a task tells a worker that there is something for a handler. Rows are the truth; a task that is lost, or
could not be sent, costs a second, after which the sweep sends another.
"""

import logging
from collections.abc import Mapping
from math import ceil

from celery import current_app
from django.conf import settings
from kombu.exceptions import OperationalError

from eventhub.handlers import registry

log = logging.getLogger(__name__)

RUN = "handlers.run"
REPLAY = "handlers.replay"
QUEUE = "handlers"
# A worker that is woken goes on for a while; more of them for a handler only help when much waits.
DELIVERIES_A_WORKER = 500
MOST_WORKERS = 8
# A task nobody took up for this long is not needed any more: the sweep has sent others.
EXPIRES_S = 10
# Beyond the handler's own timeout: the time in which a task's process is surely not at work any more.
GRACE_S = 60


def wake(waiting: Mapping[str, int]) -> None:
    """Tell workers that so many deliveries wait, by handler's name. Never raises."""
    subscriptions = registry.subscriptions()
    for name, count in waiting.items():
        subscription = subscriptions.get(name)
        if subscription is None:
            continue
        workers = min(
            -(-count // DELIVERIES_A_WORKER), subscription.concurrency or MOST_WORKERS, MOST_WORKERS
        )
        for _ in range(workers):
            if not _sent(name, subscription.timeout_s):
                return


def wake_replays() -> None:
    """Tell a worker that there is a replay to carry on. Never raises."""
    _send(REPLAY, (), int(settings.CELERY_TASK_TIME_LIMIT))


def _sent(name: str, timeout_s: float) -> bool:
    return _send(RUN, (name,), max(int(settings.CELERY_TASK_TIME_LIMIT), ceil(timeout_s) + GRACE_S))


def _send(task: str, arguments: tuple[str, ...], longest_s: int) -> bool:
    try:
        current_app.send_task(
            task,
            arguments,
            queue=QUEUE,
            expires=EXPIRES_S,
            retry=False,
            ignore_result=True,
            time_limit=longest_s,
            soft_time_limit=longest_s - 10,
        )
    except (OperationalError, OSError) as error:
        log.warning("Workers could not be woken for %s; the sweep will: %s", (task, *arguments)[-1], error)
        return False
    return True
