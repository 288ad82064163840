"""Celery's door to the sagas. The instances' rows are the truth; a lost task loses nothing."""

from celery import shared_task

from eventhub.sagas import driving


@shared_task(name="sagas.drive")
def drive() -> None:
    """Do what is due, for a moment."""
    driving.drive()
