"""Bodies that their producer compressed and says so: ``content-encoding`` of a Kafka header, AMQP property or SQS
attribute. A small body that would become very large (a bomb) is refused as soon as it has grown beyond what is read.
"""

import zlib

import msgspec

from eventhub.events.envelope import Undecodable
from eventhub.events.message import Message

HEADERS = ("content-encoding", "content_encoding")
# gzip and zlib by their header, whichever of the two it is (RFC 9110 calls the latter deflate).
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
# Told apart from character sets and whatever else producers write there, which is let be.
_UNREAD = ("zstd", "br", "lz4", "snappy", "compress", "x-snappy-framed")


def encoding_of(message: Message) -> str:
    """How its body is compressed, in lower case; empty where nothing says that it is."""
    told = None
    for name in HEADERS:
        told = told or message.headers.get(name) or message.properties.get(name)
    known = told.strip().lower() if told else ""
    return known if known in _WINDOWS or known in _UNREAD else ""


def unpacked(message: Message, encoding: str, most_bytes: int) -> Message:
    """The message with its body as it was before it was compressed. Raises Undecodable."""
    window = _WINDOWS.get(encoding)
    if window is None:
        raise Undecodable(
            "UnknownEncoding",
            f"The body is compressed as {encoding[:80]!r}, which is not read here. Send gzip or deflate, or let the "
            "broker compress (compression.type of Kafka's producer).",
        )
    unpacking = zlib.decompressobj(window)
    try:
        body = unpacking.decompress(message.body, most_bytes + 1)
    except zlib.error as error:
        raise Undecodable(
            "NotCompressed", f"The headers say that the body is {encoding}, and it is not: {error}."
        ) from None
    if len(body) > most_bytes:
        raise Undecodable(
            "TooLarge",
            f"The body has {len(message.body):,} bytes as {encoding} and more than {most_bytes:,} without; at most so "
            "many are read (INGEST_MAX_BODY_BYTES).",
        )
    if not unpacking.eof:
        raise Undecodable("NotCompressed", f"The body is {encoding} that was cut off: its end is missing.")
    return msgspec.structs.replace(
        message,
        body=body,
        headers={name: value for name, value in message.headers.items() if name not in HEADERS},
        properties={name: value for name, value in message.properties.items() if name not in HEADERS},
    )
