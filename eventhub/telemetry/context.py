"""What is being worked on, so that each line of the log can say it: request, task, source, handler, event.

The ids are bound to the thread (or the coroutine) that does the work, and let go when it is done.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import uuid4

_bound: ContextVar[Mapping[str, str]] = ContextVar("eventhub_bound", default={})  # noqa: B039 - never changed
# What another program may call a request: short, and nothing that could pass for another line of a log.
REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
LONGEST_CHARS = 200


def current() -> Mapping[str, str]:
    """The ids of what this thread works on, by name."""
    return _bound.get()


@contextmanager
def bound(**ids: str | None) -> Iterator[None]:
    """Lines that are logged inside bear these ids beside those around them. Empty ones are left out."""
    token = _bound.set({**_bound.get(), **_told(ids)})
    try:
        yield
    finally:
        _bound.reset(token)


def bind(**ids: str | None) -> None:
    """As `bound`, for the rest of this thread's life."""
    _bound.set({**_bound.get(), **_told(ids)})


def let_go(*names: str) -> None:
    """These ids are no longer what this thread works on."""
    _bound.set({name: value for name, value in _bound.get().items() if name not in names})


def request_id(given: str | None) -> str:
    """The id that a caller gave its request, where it is one; else a new one."""
    return given if given and REQUEST_ID.fullmatch(given) else uuid4().hex


def _told(ids: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value[:LONGEST_CHARS] for name, value in ids.items() if value}
