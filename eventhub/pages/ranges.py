"""The time range of a page, from its address: `?range=1h` up to now, or `?from=…&to=…` exactly."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.http import HttpRequest

PRESETS = (
    ("15m", "15 min", timedelta(minutes=15)),
    ("1h", "1 h", timedelta(hours=1)),
    ("6h", "6 h", timedelta(hours=6)),
    ("24h", "24 h", timedelta(hours=24)),
    ("7d", "7 d", timedelta(days=7)),
)
# For pages that look as far back as rollups go.
LONG_PRESETS = (("5m", "5 min", timedelta(minutes=5)), *PRESETS, ("90d", "90 d", timedelta(days=90)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One segment of the range picker."""

    label: str
    title: str
    url: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeRange:
    """From when to when, and how to pick another. `start` is inclusive, `end` exclusive; both in UTC."""

    start: datetime
    end: datetime
    label: str
    # A range with a fixed end; the others follow the clock.
    is_custom: bool
    choices: tuple[Choice, ...]
    clear_url: str

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


def time_range(
    request: HttpRequest,
    default: str = "1h",
    now: datetime | None = None,
    presets: tuple[tuple[str, str, timedelta], ...] = PRESETS,
) -> TimeRange:
    """The request's range, one of `presets` or its own; an unreadable one is the default."""
    at = now or datetime.now(UTC)
    custom = _custom(request)
    lengths = {key: length for key, _, length in presets}
    key = request.GET.get("range", "")
    key = key if key in lengths else default
    choices = tuple(
        Choice(
            label=label,
            title=f"The last {label}",
            url=_url(request, name, default),
            current=custom is None and name == key,
        )
        for name, label, _ in presets
    )
    start, end = custom or (at - lengths[key], at)
    label = (
        f"{start:%d %b %H:%M} – {end:%H:%M}" if custom else next(text for k, text, _ in presets if k == key)
    )
    return TimeRange(
        start=start,
        end=end,
        label=label,
        is_custom=custom is not None,
        choices=choices,
        clear_url=_url(request, default, default),
    )


def _custom(request: HttpRequest) -> tuple[datetime, datetime] | None:
    start, end = moment(request.GET.get("from", "")), moment(request.GET.get("to", ""))
    return (start, end) if start and end and start < end else None


def moment(text: str) -> datetime | None:
    """What an address says of a moment: an ISO time or Unix seconds; None for anything else."""
    try:
        if text.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _url(request: HttpRequest, key: str, default: str) -> str:
    query = request.GET.copy()
    for name in ("range", "from", "to", "after", "cursor"):
        query.pop(name, None)
    if key != default:
        query["range"] = key
    return f"{request.path}?{query.urlencode()}" if query else request.path
