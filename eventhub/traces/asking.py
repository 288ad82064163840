"""The list's address: what its parameters ask for, and the filter bar that shows them in words."""

import re
from datetime import UTC, datetime, timedelta
from typing import get_args
from urllib.parse import urlencode

import msgspec
from django.core.cache import cache
from django.db import connection
from django.http import HttpRequest, QueryDict

from eventhub.pages.filters import Chip, Field, FilterBar, Option, choices, filter_bar
from eventhub.pages.formats import duration
from eventhub.pages.ranges import PRESETS
from eventhub.schemas.models import EventType
from eventhub.traces import attributes, language
from eventhub.traces.language import Asked
from eventhub.traces.query import StateFilter, TraceQuery

STATES = (
    ("trouble", "in trouble"),
    ("dead", "with dead letters"),
    ("failed", "failed"),
    ("running", "running"),
    ("ok", "ok"),
)
DURATIONS = (
    ("0.1-", "over 100 ms"),
    ("1-", "over 1 s"),
    ("10-", "over 10 s"),
    ("60-", "over 1 min"),
    ("3600-", "over 1 h"),
    ("-1", "under 1 s"),
)
MOST_CHOICES = 400
MOST_WORDS = 10
# More words than these are a sentence, and no values.
MOST_GUESSED = 4
_DURATION = re.compile(r"(\d*\.?\d*)-(\d*\.?\d*)")
_LENGTHS = {key: length for key, _, length in PRESETS}


def asked_of(given: QueryDict) -> Asked:
    """What the search field asks for, in the search language."""
    return language.read(given.get("q", ""), attributes.names())


def meant(asked: Asked) -> Asked:
    """A bare word that is the very value of a searchable attribute is looked for as that, which is much faster."""
    if asked.attributes or len(asked.words) > MOST_GUESSED:
        return asked
    pairs, words = [], []
    for word in asked.words:
        names = attributes.names_with(word)
        if names:
            pairs.append((names[0], word))
        else:
            words.append(word)
    return msgspec.structs.replace(asked, attributes=tuple(pairs), words=tuple(words)) if pairs else asked


def trace_query(given: QueryDict, now: datetime, asked: Asked | None = None) -> TraceQuery:
    """What the address asks for. What cannot be read counts as not asked: the bar shows it as not set."""
    start, end = _range(given, now)
    min_s, max_s = _durations(given.get("duration", ""))
    state = given.get("state", "")
    chosen = TraceQuery(
        state=state if state in get_args(StateFilter) else "",  # type: ignore[arg-type]
        event_type=_text(given, "type"),
        service=_text(given, "service"),
        min_s=min_s,
        max_s=max_s,
        start=start,
        end=end,
        uncorrelated=bool(given.get("loose")),
    )
    return with_words(chosen, asked or meant(asked_of(given)), now)


def with_words(chosen: TraceQuery, asked: Asked, now: datetime) -> TraceQuery:
    """What was chosen in fields, and what the words add to it; where both say something, the words count."""
    since = now - timedelta(seconds=asked.since_s) if asked.since_s is not None else None
    return msgspec.structs.replace(
        chosen,
        words=(*asked.words, *asked.texts)[:MOST_WORDS],
        types=asked.types,
        without_types=asked.without_types,
        services=asked.services,
        attributes=asked.attributes,
        absence=asked.absence,
        slow=asked.slow,
        state=asked.state or chosen.state,
        min_s=asked.min_s if asked.min_s is not None else chosen.min_s,
        max_s=asked.max_s if asked.max_s is not None else chosen.max_s,
        start=asked.start or since or chosen.start,
        end=asked.end or chosen.end,
    )


def bar_of(request: HttpRequest) -> FilterBar:
    """The filter bar for this address."""
    given = request.GET
    types = EventType.objects.exclude(name__startswith="eventhub.").values_list("name", flat=True)[
        :MOST_CHOICES
    ]
    fields = [
        Field(name="q", label="An order number, an id, type:…, error, slow…"),
        Field(name="state", label="State", options=choices(STATES), any_label="Any state"),
        Field(
            name="type",
            label="With",
            options=_with(list(types), _text(given, "type")),
            any_label="Any event type",
        ),
        Field(
            name="service",
            label="Through",
            options=_with(services(), _text(given, "service")),
            any_label="Any service",
        ),
        Field(
            name="duration",
            label="Took",
            options=[*choices(DURATIONS), *_own_duration(given.get("duration", ""))],
            any_label="Any duration",
        ),
        Field(
            name="range",
            label="Within",
            options=[Option(value=key, label=f"the last {label}") for key, label, _ in PRESETS],
            any_label="Any time",
        ),
    ]
    if given.get("loose"):
        # One event alone has no duration, and no state worth a filter.
        fields = [field for field in fields if field.name not in ("state", "duration")]
    return _with_exact_range(request, filter_bar(request, fields))


def services() -> list[str]:
    """Services that published or handled something in the last day; remembered for a minute."""
    known: list[str] | None = cache.get("traces.services")
    if known is None:
        with connection.cursor() as cursor:
            # Index rollup_bucket.
            cursor.execute(
                """SELECT DISTINCT service FROM rollups_rollup
                   WHERE bucket > now() - interval '1 day' AND service <> '' ORDER BY 1 LIMIT %s""",
                [MOST_CHOICES],
            )
            known = [service for (service,) in cursor]
        cache.set("traces.services", known, 60 if known else 5)
    return known


def address(request: HttpRequest, **changed: str) -> str:
    """The list's address with some parameters changed; "" takes one away. A new place is never kept."""
    given = request.GET.copy()
    for name in ("after", "since", "count"):
        given.pop(name, None)
    for name, value in changed.items():
        given.pop(name, None)
        if value:
            given[name] = value
    return f"{request.path}?{urlencode(list(given.items()))}" if given else request.path


def _with_exact_range(request: HttpRequest, bar: FilterBar) -> FilterBar:
    """`from` and `to`, as charts link to, have no field but a chip."""
    start, end = _moment(request.GET.get("from", "")), _moment(request.GET.get("to", ""))
    if request.GET.get("range") in _LENGTHS or not (start or end):
        return bar
    said = " ".join(
        part
        for part in (
            f"from {start:%d %b %H:%M:%S}" if start else "",
            f"to {end:%d %b %H:%M:%S}" if end else "",
        )
        if part
    )
    chip = Chip(label="happened", value=f"{said} UTC", url=address(request, **{"from": "", "to": ""}))
    return FilterBar(
        path=bar.path, fields=bar.fields, chips=[*bar.chips, chip], clear_url=request.path, kept=bar.kept
    )


def _range(given: QueryDict, now: datetime) -> tuple[datetime | None, datetime | None]:
    if length := _LENGTHS.get(given.get("range", "")):
        return now - length, None
    return _moment(given.get("from", "")), _moment(given.get("to", ""))


def _durations(text: str) -> tuple[float | None, float | None]:
    match = _DURATION.fullmatch(text)
    return (_seconds(match[1]), _seconds(match[2])) if match else (None, None)


def _seconds(text: str) -> float | None:
    try:
        return min(float(text), timedelta.max.total_seconds())
    except ValueError:
        return None


def _own_duration(text: str) -> list[Option]:
    """A duration typed into the address is a choice as well."""
    low, high = _durations(text)
    if text in dict(DURATIONS) or (low is None and high is None):
        return []
    words = [
        f"over {duration(low)}" if low is not None else "",
        f"under {duration(high)}" if high is not None else "",
    ]
    return [Option(value=text, label=" and ".join(filter(None, words)))]


def _with(names: list[str], chosen: str) -> list[Option]:
    """The names, and the chosen one although it was not seen lately."""
    listed = names if not chosen or chosen in names else [chosen, *names]
    return [Option(value=name, label=name) for name in listed]


def _text(given: QueryDict, name: str) -> str:
    return given.get(name, "").strip().replace("\x00", "")[:500]


def _moment(text: str) -> datetime | None:
    """An ISO time (UTC where it names no zone) or Unix seconds."""
    try:
        if text.replace(".", "", 1).isdigit():
            return datetime.fromtimestamp(float(text), UTC)
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
