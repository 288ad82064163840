from celery import shared_task

from monitoring.review import running


@shared_task(name="review.run")
def run() -> None:
    """Read what is new in the log, and judge it."""
    running.run(judge_every_s=running.JUDGE_EVERY_S)
