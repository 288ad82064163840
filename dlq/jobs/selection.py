"""Which letters a job is about: named one by one, or by a filter, as it was when somebody asked."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db.models import QuerySet

from dlq import listing
from dlq.filter import Filter
from dlq.models import DeadLetter, DeadLetterGroup, Status

MOST_NAMED = 10_000


# A filter's fields, as they are said.
LABELS = {
    "source": "source",
    "event_type": "event type",
    "reason": "reason",
    "topic": "topic",
    "failed_in": "failed in",
    "error_class": "error",
    "correlation_id": "trace",
    "attribute": "with",
    "since": "failed since",
    "until": "failed before",
    "q": "with the words",
}


class BadSelection(ValueError):
    """The selection cannot be meant. The text says what to give."""


class Selection(msgspec.Struct, frozen=True, omit_defaults=True):
    """Letters by id, or the open ones that fit a filter. Discarded and resolved letters are never sent."""

    letters: list[int] = []
    filter: Filter | None = None

    def queryset(self) -> QuerySet[DeadLetter]:
        """The letters, in no order."""
        if self.filter is None:
            return DeadLetter.objects.filter(pk__in=self.letters)
        return listing.matching(msgspec.structs.replace(self.filter, status=Status.OPEN.value))

    def as_json(self) -> object:
        """For a JSON column."""
        return msgspec.to_builtins(self)


def of_letters(letter_ids: Sequence[int]) -> Selection:
    """These letters. Raises BadSelection when they are too many to be named."""
    ids = sorted(set(letter_ids))
    if len(ids) > MOST_NAMED:
        raise BadSelection(
            f"At most {MOST_NAMED:,} letters can be named one by one; {len(ids):,} were. Give a filter instead."
        )
    return Selection(letters=ids)


def of_filter(wanted: Filter) -> Selection:
    """All open letters that fit. Raises BadSelection for a filter of closed ones."""
    if wanted.status not in ("", Status.OPEN):
        raise BadSelection(
            f"Only open letters can be chosen by a filter, and this one asks for {wanted.status} ones."
        )
    return Selection(filter=msgspec.structs.replace(wanted, status=Status.OPEN.value))


def read_selection(value: object) -> Selection:
    """The selection in a JSON column."""
    return msgspec.convert(value, Selection)


def in_words(selection: Selection) -> str:
    """Which letters, in words that follow "Retry": "letter #12", "all open letters of shipping: CarrierTimeout"."""
    if selection.filter is None:
        ids = selection.letters
        return f"letter #{ids[0]}" if len(ids) == 1 else f"{len(ids):,} chosen letters"
    wanted = selection.filter
    parts: list[str] = []
    if wanted.group is not None:
        title = DeadLetterGroup.objects.filter(pk=wanted.group).values_list("title", flat=True).first()
        parts.append(f"“{(title or f'group {wanted.group}')[:160]}”")
    parts += [f"{label} {_said(value)}" for name, label in LABELS.items() if (value := getattr(wanted, name))]
    return f"all open letters of {', '.join(parts)}" if parts else "all open letters"


def _said(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value)
