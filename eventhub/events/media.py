"""Media types: what they say of bytes, and bytes as JSON by what they say."""

import base64
import codecs
import re

import msgspec
from msgspec import Raw

from eventhub.events.envelope import Undecodable

# Encodings of Python that are none of text on the wire: slow on large bodies, or able to make what is no text.
_NOT_ON_THE_WIRE = frozenset(
    ("idna", "punycode", "unicode_escape", "raw-unicode-escape", "unicode-escape", "undefined", "utf-7")
)
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s\";]+)", re.IGNORECASE)
_decode_raw = msgspec.json.Decoder(Raw).decode


def parse(content_type: str | None) -> tuple[str, str | None]:
    """The media type in lower case, "" when there is none, and the name of the character set where one is given."""
    if not content_type:
        return "", None
    charset = _CHARSET.search(content_type)
    return content_type.partition(";")[0].strip().lower(), charset[1] if charset else None


def is_json(media_type: str) -> bool:
    """Whether a media type (in lower case, without parameters) declares JSON."""
    return media_type.endswith(("/json", "+json"))


def as_json(body: bytes, content_type: str | None) -> str:
    """`body`, of the given content type, as JSON text.

    JSON stays as it is, other text becomes a JSON string, other bytes a JSON string of Base64, and nothing becomes
    null. Without a content type it is JSON if it looks so. Raises Undecodable when what is declared to be JSON is none.
    """
    if not body:
        return "null"
    media_type, charset = parse(content_type)
    must_be_json = is_json(media_type)
    try:
        text = body.decode(_encoding(charset))
    except (UnicodeError, LookupError):
        if must_be_json:
            raise Undecodable(
                "NotUtf8", f"The data is declared to be JSON and is not {(charset or 'UTF-8')[:40]}."
            ) from None
        return msgspec.json.encode(base64.b64encode(body).decode()).decode()
    if must_be_json or not media_type:
        try:
            _decode_raw(text)
        except (msgspec.DecodeError, RecursionError) as error:
            if must_be_json:
                raise Undecodable(
                    "NotJson", f"The data is declared to be JSON and is not: {error}."
                ) from None
        else:
            return text
    return msgspec.json.encode(text).decode()


def _encoding(charset: str | None) -> str:
    """Python's name of a character set. Raises LookupError for what is none."""
    if charset is None:
        return "utf-8"
    try:
        name = codecs.lookup(charset).name
    except ValueError as error:  # a name with a NUL in it
        raise LookupError(charset) from error
    if name in _NOT_ON_THE_WIRE:
        raise LookupError(charset)
    return name
