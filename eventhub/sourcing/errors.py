"""What can be wrong with a stream, in words for the person who appends to it or reads it."""


class StreamError(Exception):
    """Something about one stream."""


class WrongVersion(StreamError):
    """Somebody else appended first: the stream is not at the version that the caller expected.

    Nothing was appended. Read the stream again, decide again, append again; ``retrying`` does so.
    """

    def __init__(self, stream: str, expected: int, actual: int) -> None:
        self.stream = stream
        self.expected = expected
        self.actual = actual
        wanted = "to be new" if expected == 0 else f"at version {expected}"
        super().__init__(
            f"The stream {stream!r} was expected {wanted} and is at version {actual}: somebody appended in between. "
            "Read it again and decide again; retrying() does so."
        )


class StreamEnded(StreamError):
    """The stream was ended by a tombstone: it can be read, and takes no event any more."""

    def __init__(self, stream: str) -> None:
        self.stream = stream
        super().__init__(f"The stream {stream!r} was ended and takes no more events. Begin a new one.")


class StreamTruncated(StreamError):
    """Retention dropped events that are needed to rebuild the state."""

    def __init__(self, stream: str, needed: int, first: int) -> None:
        self.stream = stream
        super().__init__(
            f"The stream {stream!r} begins at version {first}: retention dropped version {needed}, and no snapshot "
            "reaches that far. Raise EVENT_RETENTION_DAYS, or let snapshots be taken more often."
        )


class AlreadyAppended(StreamError):
    """One of the event ids is stored already; nothing was appended."""


class BadEvent(StreamError, ValueError):
    """What is to be appended cannot be an event. The text says what is wrong with it."""
