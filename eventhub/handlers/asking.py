"""What people and scripts say about a replay, read into a selection."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from eventhub.handlers.selecting import BadSelection, Selection


def selection_from(values: Mapping[str, str], event_types: Sequence[str]) -> Selection:
    """A selection from texts: `since`, `until`, `correlation_id`, `service`. Raises BadSelection."""
    return Selection(
        event_types=[name for name in event_types if name],
        correlation_id=_clean(values.get("correlation_id", "")),
        service=_clean(values.get("service", "")),
        since=moment("since", values.get("since", "")),
        until=moment("until", values.get("until", "")),
    )


def moment(name: str, text: str) -> datetime | None:
    """A time in ISO 8601, of UTC where it names no zone; None of nothing. Raises BadSelection."""
    if not text.strip():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadSelection(
            f"{name} is {text.strip()[:60]!r}; write a time such as 2026-11-24T10:00 (UTC)."
        ) from None


def _clean(text: str) -> str:
    return text.replace("\x00", "").strip()
