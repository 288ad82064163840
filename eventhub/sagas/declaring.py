"""Which sagas there are: classes whose `steps` say what is done, and how it is undone."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from eventhub.handlers.retry import Retry

Kind = TypeVar("Kind", bound=type[Any])


class Running(msgspec.Struct):
    """What a step's function gets: the instance as far as it concerns it."""

    instance_id: int
    key: str
    correlation_id: str
    # Of the instance. What a step changes in it is kept, when the step succeeds.
    data: dict[str, Any]
    # What each finished step returned, or the data of the event that it waited for.
    results: dict[str, Any]


Action = Callable[[Running], Any]


@dataclass(frozen=True, kw_only=True)
class _Options:
    """What a step may ask for."""

    # Undoes it, when a later step fails. Tried until it works or its attempts are used up; then a person is asked.
    compensate: Action | None = None
    retry: Retry = field(default_factory=Retry)
    compensation_retry: Retry = field(default_factory=lambda: Retry(max_attempts=20))
    # For the function itself, and for the event it waits for, in seconds.
    timeout_s: float = 30.0
    # Types of events, with the instance's correlation id, that finish the step; it waits for one of them.
    waits_for: tuple[str, ...] = ()
    # Types that make it fail while it waits.
    fails_on: tuple[str, ...] = ()
    wait_s: float = 86_400.0
    # Ask a person after the last attempt, instead of compensating by itself.
    parks: bool = False


class Step:
    """One step: a name, what it does, and options by name. Its database work is committed with the mark "done"."""

    def __init__(self, name: str, action: Action | None = None, **options: Any) -> None:
        self.name = name
        self.action = action
        self.options = _Options(**options)


class Together:
    """Steps that run side by side: the next begins when all of them are done."""

    def __init__(self, *steps: Step) -> None:
        self.steps = steps


class Definition(msgspec.Struct, frozen=True):
    """One version of a saga."""

    name: str
    version: int
    # In the order in which they run; those of a group side by side.
    groups: tuple[tuple[Step, ...], ...]
    starts_on: tuple[str, ...]
    description: str

    def step(self, name: str) -> Step:
        """By name. Raises LookupError."""
        for step in self.steps():
            if step.name == name:
                return step
        raise LookupError(f"{self.name} version {self.version} has no step {name!r}.")

    def steps(self) -> Iterable[Step]:
        """All of them."""
        return (step for group in self.groups for step in group)

    def listens_to(self) -> set[str]:
        """The types of events it wants to hear."""
        return {
            *self.starts_on,
            *(name for step in self.steps() for name in (*step.options.waits_for, *step.options.fails_on)),
        }


_declared: dict[tuple[str, int], Definition] = {}


def saga(name: str, *, version: int = 1, starts_on: str | tuple[str, ...] = ()) -> Callable[[Kind], Kind]:
    """Declare the decorated class, with its `steps`, as version `version` of the saga `name`.

    Keep the classes of older versions while instances of them run: each finishes with the steps it began with. With
    `starts_on` every such event starts an instance about its correlation id. Raises ValueError for what makes no sense.
    """

    def declare(kind: Kind) -> Kind:
        groups = tuple(
            one.steps if isinstance(one, Together) else (one,) for one in getattr(kind, "steps", ())
        )
        names = [step.name for group in groups for step in group]
        if not names:
            raise ValueError(f"@saga({name!r}): {kind.__name__} needs steps.")
        if len(set(names)) != len(names):
            raise ValueError(f"@saga({name!r}): two steps have the same name.")
        for step in (step for group in groups for step in group):
            if step.action is None and not step.options.waits_for:
                raise ValueError(
                    f"@saga({name!r}): the step {step.name!r} neither does nor waits for anything."
                )
        if (name, version) in _declared:
            raise ValueError(f"@saga({name!r}): there is a version {version} already.")
        starts = (starts_on,) if isinstance(starts_on, str) else starts_on
        description = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
        _declared[name, version] = Definition(name, version, groups, starts, description)
        return kind

    return declare


def declared() -> dict[tuple[str, int], Definition]:
    """All of them, by name and version."""
    return dict(_declared)


def latest(name: str) -> Definition:
    """The newest version of a saga. Raises LookupError."""
    versions = [version for known, version in _declared if known == name]
    if not versions:
        there = ", ".join(sorted({known for known, _ in _declared})) or "none"
        raise LookupError(f"There is no saga {name!r}. There are: {there}.")
    return _declared[name, max(versions)]
