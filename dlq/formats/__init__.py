"""How brokers and frameworks write into a message's headers why it died: one module a format, listed here.

To add one: write a module with a class that has the four members of `Format`, and name it in `FORMATS`. The first
that recognises the headers is asked.
"""

from collections.abc import Iterable

from dlq.formats.dlq_headers import DlqHeaders
from dlq.formats.format import Death, Format
from eventhub.events.message import Message

# The more particular first.
FORMATS: tuple[Format, ...] = (DlqHeaders(),)


def read_death(message: Message) -> Death:
    """The death of a message from a dead-letter queue, by whichever format tells it."""
    for candidate in FORMATS:
        if candidate.recognises(message.headers):
            return candidate.read(message)
    return Death()


def without_death(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """`headers` without those that tell of a failure: what a message carries when it is sent again."""
    return [(name, value) for name, value in headers if not any(f.owns(name.lower()) for f in FORMATS)]
