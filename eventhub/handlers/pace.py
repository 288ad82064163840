"""How many deliveries of a handler this process takes into one transaction, learned from how they get on.

Deliveries that change rows in common lock each other out when each transaction holds many of these, and PostgreSQL
needs a second to find that out: who got in the way of another takes one at a time. A slow handler is given as many as
it does in the time of a transaction, so that other workers have the rest. From there each claim that goes through adds
a little: whom nothing slows down is back at the whole batch in half a minute.
"""

from threading import Lock

# Added by a claim that went through.
GROWTH = 0.02


class _Learned:
    """By handler's name, where it is less than the whole batch; the lock is for changes, by threads of one worker."""

    room: dict[str, float] = {}
    lock = Lock()


def room(name: str, batch: int) -> int:
    """How many deliveries of this handler to take now, of `batch` at most."""
    return min(batch, int(_Learned.room.get(name, batch)))


def note(name: str, batch: int, *, done: int, is_cut_short: bool) -> None:
    """Of a claim of this handler so many were `done`: all, unless it was cut short."""
    with _Learned.lock:
        before = _Learned.room.get(name, float(batch))
        after = after_claim(before, batch, done=done, is_cut_short=is_cut_short)
        if after < batch:
            _Learned.room[name] = after
        else:
            _Learned.room.pop(name, None)


def forget() -> None:
    """Begin anew."""
    _Learned.room.clear()


def after_claim(before: float, batch: int, *, done: int, is_cut_short: bool) -> float:
    """The room after a claim: at least 1, at most `batch`; more only where the room was used up."""
    if is_cut_short:
        return max(1.0, min(before, float(done)))
    return min(float(batch), before + GROWTH) if done >= int(before) else before
