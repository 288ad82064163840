from celery import shared_task

from monitoring import changes, lag
from monitoring.alerts import evaluating, sending
from monitoring.watch import sampling, thinning


@shared_task(name="monitoring.sample_lag")
def sample_lag() -> None:
    """Ask every source's broker what waits there."""
    lag.sample()


@shared_task(name="monitoring.note_versions")
def note_versions() -> None:
    """Remember versions of event types that are met for the first time."""
    changes.note_versions()


@shared_task(name="monitoring.watch_brokers")
def watch_brokers() -> None:
    """Ask every broker about all its consumer groups and queues."""
    sampling.watch()


@shared_task(name="monitoring.thin_history")
def thin_history() -> None:
    """Make hours of old minutes of what waited."""
    thinning.thin()


@shared_task(name="monitoring.alert")
def alert() -> None:
    """Look at every alert rule, and send what is to be told."""
    evaluating.evaluate()
    sending.send_due()
