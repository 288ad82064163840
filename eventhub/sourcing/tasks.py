"""Celery's doors: projections follow the log. The checkpoints are the truth; a lost task loses nothing."""

import logging

from celery import shared_task

from eventhub.sourcing import replaying
from eventhub.sourcing.projecting import declaring, rebuilding

log = logging.getLogger(__name__)
TASK_S = 2.0


@shared_task(name="sourcing.follow")
def follow() -> None:
    """Let each projection take in what came, for a moment."""
    for declared in declaring.declared().values():
        rebuilding.follow(declared, TASK_S)


@shared_task(name="sourcing.replay")
def replay() -> None:
    """Carry on the replays that were asked for."""
    replaying.advance(TASK_S)
