"""A handler's options in words."""

from eventhub.handlers.errors import class_name
from eventhub.handlers.registry import Subscription
from eventhub.handlers.retry import Retry
from eventhub.pages.formats import duration


def options(subscription: Subscription) -> list[tuple[str, str]]:
    """What it asked for, a name and a sentence each."""
    told = [("Retries", retries(subscription.retry)), ("Timeout", duration(subscription.timeout_s))]
    if subscription.order_by:
        by = "correlation id" if subscription.order_by == "correlation_id" else "stream"
        told.append(("Order", f"one at a time for each {by}, the oldest first"))
    if subscription.concurrency:
        count = subscription.concurrency
        told.append(("At once", f"in at most {count} worker{'' if count == 1 else 's'}"))
    size = subscription.batch
    told.append(
        ("Transaction", "one delivery each" if size == 1 else f"up to {size} deliveries, each undone alone")
    )
    if breaker := subscription.breaker:
        told.append(
            (
                "Breaker",
                f"stops after {breaker.after} failed deliveries in a row; tries again after "
                f"{duration(breaker.probe_s)}, then less often, down to every {duration(breaker.cap_s)}",
            )
        )
    else:
        told.append(("Breaker", "none"))
    return told


def retries(policy: Retry) -> str:
    """A retry policy in a sentence."""
    if policy.max_attempts == 1:
        text = "none: the first failure is a dead letter"
    else:
        text = (
            f"{policy.max_attempts} attempts; waits up to {duration(policy.base)}, doubled each time, "
            f"{duration(policy.cap)} at most"
        )
    if policy.unexpected == "dead_letter":
        listed = ", ".join(class_name(kind) for kind in policy.temporary)
        text += f"; only for temporary errors{f' ({listed})' if listed else ''}"
    for kind, own in policy.overrides.items():
        said = "never" if own is None else f"{own.max_attempts} attempts, up to {duration(own.cap)} apart"
        text += f"; {class_name(kind)}: {said}"
    return text
