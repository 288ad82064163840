"""Places in the data of an event, as people mark them: ``$.customer.email``, ``$.items[*].name``."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

MASK = "•••"

Steps = tuple[str, ...]
EVERY = "[*]"


def steps_of(path: str) -> Steps:
    """``$.items[*].name`` as its steps. Raises ValueError for what is no such path."""
    if not path.startswith("$.") or ".." in path or path.endswith("."):
        raise ValueError(f"{path!r} is no path. Write it as $.customer.email or $.items[*].name.")
    return tuple(path[2:].replace(EVERY, f".{EVERY}").split("."))


def without(data: Any, paths: Sequence[Steps]) -> Any:
    """The data without these fields."""
    for steps in paths:
        data = _changed(data, steps, None)
    return data


def masked(data: Any, paths: Sequence[Steps]) -> Any:
    """The data with a mask in place of these fields."""
    return replaced(data, paths, lambda value: MASK)


def replaced(data: Any, paths: Sequence[Steps], change: Callable[[Any], Any]) -> Any:
    """The data with `change` made of these fields, where they are there and not null."""
    for steps in paths:
        data = _changed(data, steps, change)
    return data


def values_at(data: Any, paths: Sequence[Steps]) -> Iterator[Any]:
    """What stands at these fields."""
    for steps in paths:
        yield from _found(data, steps)


def touches(place: Sequence[str | int], steps: Steps) -> bool:
    """Whether a place in the data (names and indexes) is, holds or lies within a field."""
    return all(
        one == EVERY or isinstance(one, int) if step == EVERY else one == step
        for one, step in zip(place, steps, strict=False)
    )


def _changed(data: Any, steps: Steps, change: Callable[[Any], Any] | None) -> Any:
    first, rest = steps[0], steps[1:]
    if first == EVERY:
        if not isinstance(data, list):
            return _misplaced(data, change)
        if rest:
            return [_changed(item, rest, change) for item in data]
        return [] if change is None else [None if item is None else change(item) for item in data]
    if not isinstance(data, dict):
        return _misplaced(data, change)
    if first not in data:
        return data
    made = {**data}
    if rest:
        made[first] = _changed(made[first], rest, change)
    elif change is None:
        del made[first]
    elif made[first] is not None:
        made[first] = change(made[first])
    return made


def _misplaced(data: Any, change: Callable[[Any], Any] | None) -> Any:
    """What stands where a field's object or list should be: it may well be what the field tells."""
    return change(data) if change and data is not None else None


def _found(data: Any, steps: Steps) -> Iterator[Any]:
    if data is None:
        return
    if steps and steps[0] == EVERY and isinstance(data, list):
        for item in data:
            yield from _found(item, steps[1:])
    elif steps and steps[0] != EVERY and isinstance(data, dict):
        yield from _found(data.get(steps[0]), steps[1:])
    else:
        yield data
