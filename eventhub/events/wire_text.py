"""Bytes of brokers (keys, header values) as text that JSON and PostgreSQL hold, and back again without loss.

UTF-8 stays as it is; anything else, and text that would be taken for it, becomes ``base64:`` and its Base64. So what
people read is readable, and what is sent again is what came.
"""

import base64
import binascii

PREFIX = "base64:"


def to_text(raw: bytes) -> str:
    """`raw` as text without NUL; `to_bytes` gives it back."""
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        return PREFIX + base64.b64encode(raw).decode()
    if "\x00" in text or text.startswith(PREFIX):
        return PREFIX + base64.b64encode(raw).decode()
    return text


def to_bytes(text: str) -> bytes:
    """The bytes that `text` stands for. Text that only looks like Base64 stands for itself."""
    if text.startswith(PREFIX):
        try:
            return base64.b64decode(text.removeprefix(PREFIX), validate=True)
        except (binascii.Error, ValueError):
            pass
    return text.encode("utf-8", "surrogatepass")
