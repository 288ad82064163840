"""Which deliveries of a channel can be acknowledged together."""

from collections.abc import Iterable
from typing import NamedTuple


class Due(NamedTuple):
    """What to tell the broker."""

    # Everything up to this tag at once (multiple); None when the oldest delivery is still in work.
    up_to: int | None
    # And these, each by itself.
    single: list[int]


class Outstanding:
    """The deliveries of one channel: their tags are 1, 2, 3, ….

    An acknowledgement of many acknowledges every earlier delivery with it. So it may only reach as far as nothing is
    in work below it; batches are in work two at a time.
    """

    def __init__(self) -> None:
        # All up to here are acknowledged, and these beyond.
        self.done_up_to = 0
        self._done_beyond: set[int] = set()

    @property
    def count(self) -> int:
        """How many are acknowledged."""
        return self.done_up_to + len(self._done_beyond)

    def done(self, tags: Iterable[int]) -> Due:
        """`tags` can be acknowledged; what was before does not matter again."""
        before = self.done_up_to
        fresh = [tag for tag in tags if tag > before and tag not in self._done_beyond]
        self._done_beyond.update(fresh)
        while self.done_up_to + 1 in self._done_beyond:
            self.done_up_to += 1
            self._done_beyond.remove(self.done_up_to)
        single = sorted(tag for tag in fresh if tag > self.done_up_to)
        return Due(self.done_up_to if self.done_up_to > before else None, single)
