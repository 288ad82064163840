"""How numbers, times and names are said on every page.

Pure text in, text out; `static/js/formats.js` says the same for live numbers, and a test compares the two.
"""

from datetime import UTC, datetime

MINUTE, HOUR, DAY = 60, 3_600, 86_400
NOTHING = "–"  # shown where a value is unknown, which is not the same as zero


def number(value: float | None) -> str:
    """A count: 0 · 12 · 1,234 · 12.3 k · 4.5 M · 7.8 G. Whole below 10,000."""
    if value is None:
        return NOTHING
    size = abs(value)
    if size < 9_999.5:
        return f"{value:,.0f}" if size >= 100 or value == int(value) else _trim(f"{value:,.1f}")
    for limit, divisor, unit in ((999_950, 1e3, "k"), (999_950_000, 1e6, "M")):
        if size < limit:
            return f"{_trim(f'{value / divisor:.1f}')} {unit}"
    return f"{_trim(f'{value / 1e9:,.1f}')} G"


def rate(per_second: float | None) -> str:
    """A rate in the unit that leaves a sayable number: 4,812/s · 3.2/s · 12/min · 1.5/h · 0/s."""
    if per_second is None:
        return NOTHING
    if per_second == 0 or per_second >= 0.95:
        return f"{_short(per_second)}/s"
    if per_second * MINUTE >= 0.95:
        return f"{_short(per_second * MINUTE)}/min"
    return f"{_short(per_second * HOUR)}/h"


def duration(seconds: float | None) -> str:
    """A length of time as a person would say it: 350 µs · 24 ms · 1.8 s · 3 min 20 s · 2 h 5 min · 3 d 4 h · 40 d."""
    if seconds is None:
        return NOTHING
    if seconds < 0:
        return f"−{duration(-seconds)}"
    if seconds == 0:
        return "0 s"
    if seconds < 0.0009995:
        return f"{max(1, round(seconds * 1e6))} µs"
    if seconds < 0.9995:
        return f"{_short(seconds * 1e3)} ms"
    if seconds < 59.5:
        return f"{_short(seconds)} s"
    whole = round(seconds)
    if whole < HOUR:
        return _two(whole // MINUTE, "min", whole % MINUTE, "s")
    minutes = round(seconds / MINUTE)
    if minutes < 24 * 60:
        return _two(minutes // 60, "h", minutes % 60, "min")
    hours = round(seconds / HOUR)
    if hours < 240:
        return _two(hours // 24, "d", hours % 24, "h")
    return f"{number(float(hours // 24))} d"


def size(n_bytes: float | None) -> str:
    """An amount of data in decimal units: 412 B · 12.3 kB · 4.5 MB · 2 GB."""
    if n_bytes is None:
        return NOTHING
    if abs(n_bytes) < 1_000:
        return f"{n_bytes:.0f} B"
    for limit, divisor, unit in ((999_950, 1e3, "kB"), (999_950_000, 1e6, "MB")):
        if abs(n_bytes) < limit:
            return f"{_trim(f'{n_bytes / divisor:.1f}')} {unit}"
    return f"{_trim(f'{n_bytes / 1e9:,.1f}')} GB"


def percent(share: float | None) -> str:
    """A share (0…1) as percent with the digits it needs: 0 % · 0.31 % · 4.2 % · 87 % · 100 %."""
    if share is None:
        return NOTHING
    value = share * 100
    if value == 0 or abs(value) >= 9.95:
        return f"{value:.0f} %"
    if abs(value) < 0.005:
        return "< 0.01 %"
    return f"{_trim(f'{value:.2f}' if abs(value) < 0.995 else f'{value:.1f}')} %"


def ago(at: datetime, now: datetime | None = None) -> str:
    """How long ago: now · 12 s ago · 3 min ago · 5 h ago · 6 d ago · in 10 s; further away the date: 4 Mar 2026."""
    seconds = ((now or datetime.now(UTC)) - at).total_seconds()
    distance = abs(seconds)
    if distance < 1:
        return "now"
    if distance >= 30 * DAY:
        return f"{at.day} {at:%b %Y}"
    if distance < MINUTE:
        text = f"{int(distance)} s"
    elif distance < HOUR:
        text = f"{int(distance // MINUTE)} min"
    elif distance < DAY:
        text = f"{int(distance // HOUR)} h"
    else:
        text = f"{int(distance // DAY)} d"
    return f"{text} ago" if seconds > 0 else f"in {text}"


def exact(at: datetime) -> str:
    """The moment to the millisecond, in UTC: 2026-03-04 17:05:09.123 UTC."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03d} UTC"


def iso(at: datetime) -> str:
    """The moment as programs write it: 2026-03-04T17:05:09.123456Z."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def short_id(text: str, head: int = 8, tail: int = 6) -> str:
    """An identifier with its middle left out (``0190f3a2…8412f3``); what is short already stays whole."""
    return text if len(text) <= head + tail + 4 else f"{text[:head]}…{text[-tail:]}"


def _short(value: float) -> str:
    """One decimal below 10, none above, larger ones as `number` says them."""
    return _trim(f"{value:.1f}") if value < 9.95 else number(float(round(value)))


def _trim(text: str) -> str:
    return text.removesuffix(".0")


def _two(large: int, large_unit: str, small: int, small_unit: str) -> str:
    return f"{large} {large_unit} {small} {small_unit}" if small else f"{large} {large_unit}"
