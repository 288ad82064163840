"""Telling others that instances of a process are stuck.

Whoever wants to be told registers a function; it is called once when an instance becomes stuck, after that is stored.
"""

import logging
from collections.abc import Callable, Sequence

import msgspec

from eventhub.traces.models import Instance

log = logging.getLogger(__name__)


class Stuck(msgspec.Struct, frozen=True):
    """An instance that does not go on."""

    process: str
    correlation_id: str
    subject: str
    missing_type: str
    missing_after: str

    @property
    def words(self) -> str:
        """For a person."""
        what = self.subject or self.correlation_id
        return f"{self.process}: {what} is stuck: {self.missing_type} did not come after {self.missing_after}"


Told = Callable[[Sequence[Stuck]], None]
_told: list[Told] = []


def on_stuck(tell: Told) -> Told:
    """Have `tell` called with the instances that became stuck. Returns it, so that it can decorate."""
    if tell not in _told:
        _told.append(tell)
    return tell


def tell_stuck(instances: Sequence[Instance]) -> None:
    """Tell everyone who registered; one who fails keeps nobody else from being told."""
    news = [
        Stuck(
            instance.process.name if instance.process else "",
            instance.correlation_id,
            instance.subject,
            instance.missing_type,
            instance.missing_after,
        )
        for instance in instances
    ]
    for tell in _told:
        try:
            tell(news)
        except Exception:
            log.exception("could not tell %s of stuck processes", tell)


@on_stuck
def write_to_log(news: Sequence[Stuck]) -> None:
    """What an operator greps for."""
    for one in news:
        log.warning("%s", one.words)
