"""Times as people and machines write them, read into UTC."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# A count since 1970 tells its unit by its size: seconds until the year 5138, milliseconds from 1973 until then, …
_UNITS = ((10**11, 10**6), (10**14, 10**3), (10**17, 1))
_NUMBER = re.compile(r"[+-]?\d{1,20}(\.\d{1,20})?")
# "2026-11-24 10:00:00.123456789 +0000 UTC": more digits than Python reads, and what some languages append.
_FRACTION = re.compile(r"(\.\d{6})\d+")
_TAIL = re.compile(r"\s+(Z|UTC|GMT)$|\s+(?=[+-]\d\d:?\d\d$)")


def read_time(value: object) -> datetime | None:
    """The time that a text (ISO 8601) or a number (seconds, milliseconds, microseconds or nanoseconds since 1970)
    tells, in UTC; None when it tells none. A time without zone is UTC. Never raises."""
    match value:
        case bool():
            return None
        case int() | float():
            return _since_1970(value)
        case str() if _NUMBER.fullmatch(value.strip()):
            # Eight digits are a day in ISO 8601, and fourteen a time; as a count they would lie in 1970.
            if not re.fullmatch(r"(19|20|21)\d{6}(\d{6})?", value.strip()):
                return _since_1970(Decimal(value.strip()))
            return _from_text(value.strip())
        case str():
            return _from_text(value.strip())
    return None


def _since_1970(count: float | Decimal) -> datetime | None:
    try:
        exact = Decimal(str(count))
        factor = next((unit for limit, unit in _UNITS if abs(exact) < limit), None)
        microseconds = int((exact * factor if factor else exact / 1000).to_integral_value())
        return EPOCH + timedelta(microseconds=microseconds)
    except (OverflowError, ValueError, ArithmeticError):
        return None


def _from_text(text: str) -> datetime | None:
    # As most are written: what is done for the others costs five times as much.
    if text[10:11] == "T" and len(text) <= len("2026-11-24T10:00:00.123456+00:00"):
        try:
            found = datetime.fromisoformat(text)
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
        except (OverflowError, ValueError):
            pass
    text = _TAIL.sub(lambda match: "Z" if match[1] else "", _FRACTION.sub(r"\1", text[:64].upper()))
    try:
        if len(text) == 14 and text.isdigit():
            return datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (OverflowError, ValueError):
        return None
