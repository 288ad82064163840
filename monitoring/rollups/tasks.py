from celery import shared_task

from monitoring.rollups import merging


@shared_task(name="rollups.merge")
def merge() -> None:
    """Make minutes of old seconds and hours of old minutes."""
    merging.merge()
