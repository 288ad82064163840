"""How the messages of one source become events: envelopes told apart by themselves, wire format, a mapping."""

from collections.abc import Callable, Sequence
from functools import partial

from django.conf import settings

from eventhub.events import compression, decoding, mapping
from eventhub.events.envelope import Event
from eventhub.events.mapping import Mapping
from eventhub.events.message import Message
from eventhub.events.wire_format import WireFormat

NO_MAPPING = Mapping()


class Reader:
    """Reads the messages of a source. It may be used by several threads."""

    # The one event in a message: as `decoding.decode`, with the source's mapping for JSON that is no event by itself,
    # and `wire_format` for messages that name their schema. Raises Undecodable when it is the message that is wrong,
    # and RegistryError when the registry cannot be asked now.
    read: Callable[[Message], Event]

    def __init__(self, mapping_: Mapping = NO_MAPPING, wire_format: WireFormat | None = None) -> None:
        self._mapping = mapping_
        self._wire_format = wire_format
        # Most sources need nothing but decoding, and it is called for every message.
        plain = partial(decoding.decode, max_body_bytes=settings.INGEST_MAX_BODY_BYTES)
        self.read = self._read if mapping_ or wire_format else plain

    def split(self, message: Message) -> Sequence[Message]:
        """As `decoding.split`: the messages that an array in the body holds."""
        return decoding.split(message)

    def open(self, message: Message) -> Message:
        """`message` with the JSON that it holds as its body, where it is in wire format. Raises as `read` does."""
        return self._wire_format.open(message) if self._wire_format else message

    def _read(self, message: Message) -> Event:
        decoding.refuse_large(message)
        if packed := compression.encoding_of(message):
            message = compression.unpacked(message, packed, settings.INGEST_MAX_BODY_BYTES)
        return decoding.decode(self.open(message), self._foreign if self._mapping else None)

    def _foreign(self, message: Message) -> Event:
        return mapping.apply(message, self._mapping)
