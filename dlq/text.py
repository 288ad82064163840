"""Making foreign text fit for PostgreSQL, which refuses NUL, and for UTF-8, which refuses lone surrogates."""

import hashlib

# PostgreSQL's indexes take about 2,700 bytes; a character has up to four.
MAX_INDEXED_CHARS = 600
NUL, VISIBLE_NUL = "\x00", "␀"


def storable(text: str) -> str:
    """`text` as PostgreSQL can keep it: NUL becomes ␀, a lone surrogate becomes �."""
    if NUL in text:
        text = text.replace(NUL, VISIBLE_NUL)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def storable_or_none(text: str | None) -> str | None:
    """`storable`, and None stays None."""
    return None if text is None else storable(text)


def indexable(text: str | None) -> str | None:
    """`storable`, and short enough for an index: of what is too long the beginning and a digest of the whole stay."""
    if text is None or len(text) <= MAX_INDEXED_CHARS:
        return storable_or_none(text)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{storable(text[: MAX_INDEXED_CHARS - 70])}…{digest}"
