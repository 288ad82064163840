"""What can be worked out of a letter before the database is asked, beside the writing of another batch."""

from msgspec import structs

from dlq.letter import NewLetter, fingerprint_of
from dlq.writing import line_of
from eventhub.brokers.models import Source

# The line of a larger body is made when it is written, so that such bodies are not in memory several times for long.
MOST_BYTES = 64 * 1024


def prepared(source: Source, letter: NewLetter) -> NewLetter:
    """`letter` with its fingerprint and its line."""
    line = line_of(letter) if len(letter.message.body) <= MOST_BYTES else None
    return structs.replace(letter, fingerprint=fingerprint_of(source, letter), line=line)
