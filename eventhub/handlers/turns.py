"""Whose turn it is. A worker that is woken is not told for which handler: it serves the one that fewest serve, and of
those the one that it has not served for longest, for a moment; then it looks again.

So a handler with a million deliveries has every worker while it is alone, and gives up all but one as others need
them, whatever the order of the tasks in the broker; one that asks for a limit of one worker has that one all the time.
"""

from collections.abc import Mapping, Sequence
from time import monotonic

from eventhub.handlers import due, registry, running
from eventhub.handlers.due import Due
from eventhub.handlers.registry import Subscription
from eventhub.running.stopping import is_asked

# Then the worker is somebody else's for a moment; more work means another task.
TASK_S = 2.0
# So long it serves one handler at a time.
TURN_S = 0.5


class _Served:
    """When this process served which handler last, by its monotonic clock."""

    at: dict[str, float] = {}


def take_turns(task_s: float = TASK_S) -> bool:
    """Serve handlers for about `task_s` seconds; whether there may be more to do.

    Must not run inside a transaction. Raises django.db.Error when the database is out of reach.
    """
    subscriptions = registry.subscriptions()
    until = monotonic() + task_s
    # What is due for these is in others' hands, or has to wait its turn.
    idle: set[str] = set()
    while (now := monotonic()) < until and not is_asked():
        found = due.look(subscriptions.keys() - idle, most=1)
        chosen = choose(found, subscriptions, _Served.at)
        if chosen is None:
            return False
        _Served.at[chosen.name] = now
        if not running.run(chosen.name, min(TURN_S, until - now), chosen.slots):
            idle.add(chosen.name)
    return True


def choose(
    found: Sequence[Due], subscriptions: Mapping[str, Subscription], served: Mapping[str, float]
) -> Due | None:
    """Whom to serve next; None when all that have something to do have as many workers as they may.

    `served` says when one was served last; one that is not in it never was.
    """
    with_room = [one for one in found if has_room(one, subscriptions[one.name])]
    return min(
        with_room, key=lambda one: (one.workers, served.get(one.name, float("-inf")), one.name), default=None
    )


def has_room(one: Due, subscription: Subscription) -> bool:
    """Whether another worker may serve it."""
    return subscription.concurrency is None or one.workers < subscription.concurrency
