"""What every view that changes dead letters needs: which letters were chosen, and what is said afterwards."""

import re
from collections.abc import Sequence

import msgspec
from django.http import HttpResponse, QueryDict
from django_htmx.http import trigger_client_event

from dlq import listing
from dlq.filter import Filter
from dlq.retry import MAX_AT_ONCE, Refusal
from dlq.views.filters import filter_of
from eventhub.pages.toasts import Kind, toast

# Letters named one by one in a sheet; beyond, they are counted.
NAMED = 8


class Choice(msgspec.Struct, frozen=True):
    """The letters that somebody chose: ticked ones, or what is open in a group under a filter."""

    ids: list[int]
    # Of a group with more letters than go at once.
    has_more: bool = False

    @property
    def single(self) -> int | None:
        """The letter, when it is only one."""
        return self.ids[0] if len(self.ids) == 1 else None


def group_filter(given: QueryDict) -> Filter | None:
    """What "all of a group" (or of everything: ``all``) under the page's filter asks for; None when it is not that.

    ``filter`` is what a sheet showed, given back as it was.
    """
    if told := given.get("filter"):
        try:
            return msgspec.json.decode(told, type=Filter)
        except msgspec.MsgspecError:
            return None
    asked = given.get("all_of", "")
    if asked == "all" or re.fullmatch(r"[0-9]{1,18}", asked):
        return filter_of(given.dict(), None if asked == "all" else int(asked))  # type: ignore[arg-type]
    return None


def ticked(given: QueryDict) -> list[int]:
    """The letters that were ticked one by one."""
    return sorted({int(pk) for pk in given.getlist("letter") if re.fullmatch(r"[0-9]{1,18}", pk)})


def chosen(given: QueryDict) -> Choice:
    """The chosen letters by their ids, as many as are changed at once."""
    wanted = group_filter(given)
    ids = listing.open_letter_ids(wanted, MAX_AT_ONCE + 1) if wanted else ticked(given)
    return Choice(ids[:MAX_AT_ONCE], has_more=len(ids) > MAX_AT_ONCE)


def named(refused: Sequence[Refusal]) -> list[tuple[str, list[int], int]]:
    """Refusals by their words: the words, a few letters, how many more."""
    by_words: dict[str, list[int]] = {}
    for refusal in refused:
        by_words.setdefault(refusal.why, []).append(refusal.letter_id)
    return [(why, ids[:NAMED], max(0, len(ids) - NAMED)) for why, ids in by_words.items()]


def finish(said: str, kind: Kind = "success") -> HttpResponse:
    """Close the sheet and say so."""
    return changed(toast(HttpResponse(status=204), said or "Nothing was chosen.", kind, close_sheet=True))


def changed(response: HttpResponse) -> HttpResponse:
    """The lists and letters on the page ask again."""
    return trigger_client_event(response, "dead-letters-changed", {})


def letters_in_words(count: int) -> str:
    """1 letter, 12 letters."""
    return "1 letter" if count == 1 else f"{count:,} letters"
