"""Celery's doors to the handlers. The deliveries' rows are the truth; a lost task loses nothing."""

from celery import shared_task

from eventhub.handlers import pruning, replaying, running, sweeping, waking


@shared_task(name=waking.RUN)
def run(name: str) -> None:
    """Run deliveries of one handler for a while."""
    if running.run(name):
        waking.wake({name: 1})


@shared_task(name=waking.REPLAY)
def replay() -> None:
    """Carry on the replays that were asked for."""
    replaying.advance()


@shared_task(name="handlers.sweep")
def sweep() -> None:
    """Wake workers for what is due."""
    sweeping.sweep()
    if replaying.is_any_running():
        waking.wake_replays()


@shared_task(name="handlers.prune")
def prune() -> None:
    """Drop what need not be kept."""
    pruning.prune()
