from celery import shared_task

from monitoring.rollups import merging, pruning


@shared_task(name="rollups.merge")
def merge() -> None:
    """Make minutes of old seconds and hours of old minutes."""
    merging.merge()


@shared_task(name="rollups.prune")
def prune() -> None:
    """Apply the retention of figures."""
    pruning.prune()
