"""Celery's doors to the handlers. The deliveries' rows are the truth; a lost task loses nothing."""

from celery import shared_task

from eventhub.handlers import pruning, replaying, sweeping, turns, waking


@shared_task(name=waking.WORK)
def work(number: int = 0) -> None:
    """Serve handlers for a while; `number` is that of the waking."""
    waking.taken_up(number)
    if turns.take_turns():
        waking.wake()


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
