"""How the messages of one source become events: the envelopes that are told apart by themselves, and its mapping."""

from collections.abc import Callable, Sequence

from eventhub.events import decoding, mapping
from eventhub.events.envelope import Event
from eventhub.events.mapping import Mapping
from eventhub.events.message import Message

NO_MAPPING = Mapping()


class Reader:
    """Reads the messages of a source. One for each source; it may be used from one thread at a time."""

    # As `decoding.decode`, with the source's mapping for JSON that is no event by itself.
    # Raises Undecodable when it is the message that is wrong.
    read: Callable[[Message], Event]

    def __init__(self, mapping_: Mapping = NO_MAPPING) -> None:
        self._mapping = mapping_
        # Most sources need nothing but this, and it is called for every message.
        self.read = self._read if mapping_ else decoding.decode

    def split(self, message: Message) -> Sequence[Message]:
        """As `decoding.split`: the messages that an array in the body holds."""
        return decoding.split(message)

    def _read(self, message: Message) -> Event:
        return decoding.decode(message, self._foreign)

    def _foreign(self, message: Message) -> Event:
        return mapping.apply(message, self._mapping)
