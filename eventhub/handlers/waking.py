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
from eventhub.handlers.registry import Subscription

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
        if (subscription := subscriptions.get(name)) and not send(
            subscription, workers_for(subscription, count)
        ):
            return


def workers_for(subscription: Subscription, waiting: int) -> int:
    """How many workers so many deliveries are worth."""
    return min(-(-waiting // DELIVERIES_A_WORKER), subscription.concurrency or MOST_WORKERS, MOST_WORKERS)


def send(subscription: Subscription, workers: int) -> bool:
    """Wake so many workers for a handler; false when they cannot be reached."""
    longest_s = max(int(settings.CELERY_TASK_TIME_LIMIT), ceil(subscription.timeout_s) + GRACE_S)
    return all(_send(RUN, (subscription.name,), longest_s) for _ in range(workers))


def wake_replays() -> None:
    """Tell a worker that there is a replay to carry on. Never raises."""
    _send(REPLAY, (), int(settings.CELERY_TASK_TIME_LIMIT))


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
