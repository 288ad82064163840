"""Celery's doors to what traces do in the background."""

from celery import shared_task

from eventhub.traces import attributes, retention
from eventhub.traces.flow import learning
from eventhub.traces.processes import watching


@shared_task(name="traces.fill_attributes")
def fill_attributes() -> None:
    """Go on filling searchable attributes for older events."""
    attributes.fill_older()


@shared_task(name="traces.learn")
def learn() -> None:
    """Follow the log: count hops and deliveries, mark traces to be looked at."""
    learning.learn()


@shared_task(name="traces.watch_processes")
def watch_processes() -> None:
    """Look at the traces that are due: which way they took, and how their process stands."""
    watching.watch()


@shared_task(name="traces.thin_flow")
def thin_flow() -> None:
    """Drop the seconds of the flow that only minutes tell by now."""
    retention.thin()


@shared_task(name="traces.forget")
def forget() -> None:
    """Take out what was kept for events that retention has dropped, and minutes of the flow that are hours by now."""
    retention.forget()
