"""Finding what is due and was not hastened: retries whose time has come, what a lost task or a killed worker left."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from eventhub.handlers import due, registry, waking
from eventhub.handlers.due import Due
from eventhub.handlers.registry import Subscription

# So many deliveries are worth a worker, and a handler so many workers at most as long as nobody asks for more.
DELIVERIES_A_WORKER = 500
MOST_WORKERS = 8
# No more deliveries are counted.
COUNTED = DELIVERIES_A_WORKER * MOST_WORKERS
# Where nobody has taken anything for so long no worker runs handlers, and tasks would only pile up in the broker: then
# there are some in so many seconds.
NOBODY_AFTER = timedelta(seconds=60)
NOBODY_EVERY_S = 30
NOBODY_FOR_S = 2


def sweep(now: datetime | None = None) -> dict[str, int]:
    """Wake the workers that are missing; returns how many that are, by handler."""
    at = now or timezone.now()
    subscriptions = registry.subscriptions()
    found = due.look(subscriptions.keys(), COUNTED)
    if not _is_somebody_there(found, at):
        return {}
    missing = {one.name: workers_missing(subscriptions[one.name], one) for one in found}
    waking.wake(sum(missing.values()))
    return {name: workers for name, workers in missing.items() if workers}


def workers_missing(subscription: Subscription, one: Due) -> int:
    """How many workers more than those that serve it a handler can use. Those go on by themselves."""
    wanted = min(-(-one.free // DELIVERIES_A_WORKER), subscription.concurrency or MOST_WORKERS, MOST_WORKERS)
    return max(wanted - one.workers, 0)


def _is_somebody_there(found: Sequence[Due], at: datetime) -> bool:
    """Whether there are signs of a worker, or it is time to try whether there is one."""
    return (
        any(one.workers or at - one.since < NOBODY_AFTER for one in found)
        or int(at.timestamp()) % NOBODY_EVERY_S < NOBODY_FOR_S
    )
