"""A list's filter bar: fields and chips drawn from the address, so that an address is the whole state of a list."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from django.http import HttpRequest, QueryDict

# What a filter that changes makes meaningless: the place one had read to.
_PLACE = ("after", "cursor")


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice of a field."""

    value: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A GET parameter to filter by: a choice of options, or words when it has none.

    A choice that nothing can be chosen from yet (`options=[]`) is not drawn.
    """

    name: str
    # In words: the search field's placeholder, or "State" before a choice.
    label: str
    options: Sequence[Option] | None = None
    # The choice that filters nothing, e.g. "Any state".
    any_label: str = ""
    value: str = ""

    @property
    def is_search(self) -> bool:
        """Whether words are typed here."""
        return self.options is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """A filter that is set, in words, and the address without it."""

    label: str
    value: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterBar:
    """What components/filters.html and components/chips.html draw."""

    path: str
    fields: Sequence[Field]
    chips: Sequence[Chip]
    clear_url: str
    # Other parameters of the address that filtering keeps (sort, range).
    kept: Sequence[tuple[str, str]] = field(default=())

    @property
    def values(self) -> dict[str, str]:
        """The fields' values by name; empty text where a filter is not set."""
        return {item.name: item.value for item in self.fields}

    @property
    def is_filtered(self) -> bool:
        """Whether any filter is set: an empty list then says something else."""
        return bool(self.chips)


def choices(pairs: Sequence[tuple[str, str]]) -> list[Option]:
    """Options from (value, label) pairs, as Django's choices are."""
    return [Option(value=str(value), label=str(label)) for value, label in pairs]


def filter_bar(request: HttpRequest, fields: Sequence[Field]) -> FilterBar:
    """The bar for this request. A value that is no option (an old address) counts as not set."""
    names = {item.name for item in fields}
    filled = [_filled(item, request.GET) for item in fields]
    chips = [
        Chip(label=_chip_label(item), value=_said(item), url=_without(request, {item.name}))
        for item in filled
        if item.value
    ]
    kept = [
        (name, value)
        for name, values in request.GET.lists()
        for value in values
        if name not in names and name not in _PLACE
    ]
    return FilterBar(
        path=request.path, fields=filled, chips=chips, clear_url=_without(request, names), kept=kept
    )


def _filled(item: Field, given: QueryDict) -> Field:
    value = given.get(item.name, "").strip().replace("\x00", "")
    if item.options is not None and value not in {option.value for option in item.options}:
        value = ""
    any_label = item.any_label or f"Any {item.label.lower()}"
    return Field(name=item.name, label=item.label, options=item.options, any_label=any_label, value=value)


def _chip_label(item: Field) -> str:
    return "contains" if item.is_search else item.label.lower()


def _said(item: Field) -> str:
    return next((option.label for option in item.options or () if option.value == item.value), item.value)


def _without(request: HttpRequest, names: set[str]) -> str:
    left = request.GET.copy()
    for name in (*names, *_PLACE):
        left.pop(name, None)
    query = left.urlencode()
    return f"{request.path}?{query}" if query else request.path
