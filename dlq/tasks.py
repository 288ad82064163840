"""Celery's doors to what dead letters do by themselves. The rows are the truth; a lost task loses nothing."""

from celery import shared_task

from dlq import counts, retry, settling


@shared_task(name="dlq.publish_claimed")
def publish_claimed(retry_ids: list[int]) -> None:
    """Publish retries that were claimed in a request."""
    retry.publish_claimed(retry_ids)


@shared_task(name="dlq.settle")
def settle() -> None:
    """Find and settle what a crash left half done."""
    settling.settle()


@shared_task(name="dlq.merge_counts")
def merge_counts() -> None:
    """Keep the changes of groups' counts few."""
    counts.merge()
