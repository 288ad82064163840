from celery import shared_task

from monitoring import lag


@shared_task(name="monitoring.sample_lag")
def sample_lag() -> None:
    """Ask every source's broker what waits there."""
    lag.sample()
