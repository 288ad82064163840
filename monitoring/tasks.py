from celery import shared_task

from eventhub.running.aside import aside
from monitoring import changes
from monitoring.alerts import evaluating, sending
from monitoring.lag import thinning
from monitoring.lag.groups import asking as groups
from monitoring.lag.sources import asking as sources


@shared_task(name="monitoring.sample_lag")
def sample_lag() -> None:
    """Ask every source's broker what waits there. It does not wait for the answers."""
    aside("monitoring.sample_lag", sources.sample)


@shared_task(name="monitoring.note_versions")
def note_versions() -> None:
    """Remember versions of event types that are met for the first time."""
    changes.note_versions()


@shared_task(name="monitoring.watch_brokers")
def watch_brokers() -> None:
    """Ask every broker about all its consumer groups and queues. It does not wait for the answers."""
    aside("monitoring.watch_brokers", groups.watch)


@shared_task(name="monitoring.thin_history")
def thin_history() -> None:
    """Make hours of old minutes of what waited."""
    thinning.thin()


@shared_task(name="monitoring.alert")
def alert() -> None:
    """Look at every alert rule, and send what is to be told."""
    evaluating.evaluate()
    sending.send_due()
