"""How the messages of a Source are read, as it is configured."""

from eventhub.brokers.adapter import BadConfig
from eventhub.brokers.models import Source
from eventhub.events.mapping import BadMapping, parse
from eventhub.events.reading import Reader


def reader_of(source: Source) -> Reader:
    """The reader for the messages of `source`, which need not be saved. Raises BadConfig, which says what to do."""
    try:
        return Reader(parse(source.mapping))
    except BadMapping as error:
        raise BadConfig(f"The mapping of {source.name!r} cannot be used. {error}") from error
