"""The headers that a retried message carries, so that its outcome finds its way back to its letter."""

from collections.abc import Mapping

import msgspec

RETRY_OF = "eventhub-retry-of"
ATTEMPT = "eventhub-attempt"
# The service that gave up on the message; the others, who read the same stream, can leave the retry alone.
RETRY_FOR = "eventhub-retry-for"
_MAX_ID = 2**63 - 1


class RetriedAs(msgspec.Struct, frozen=True):
    """Which letter a message is a retry of, and which attempt it is."""

    letter_id: int
    attempt: int


def retried_as(headers: Mapping[str, str]) -> RetriedAs | None:
    """What the headers (names in lower case) say; None when they do not say it, or not in a readable way."""
    letter = headers.get(RETRY_OF)
    if letter is None:
        return None
    try:
        found = RetriedAs(int(letter), int(headers.get(ATTEMPT, "")))
    except ValueError:
        return None
    return found if 0 < found.letter_id <= _MAX_ID and 0 < found.attempt < 2**31 else None


def of_retry(letter_id: int, attempt: int, failed_in: str) -> dict[str, str]:
    """The headers to put on a retried message; `failed_in` is the service that gave up on it, where one did."""
    headers = {RETRY_OF: str(letter_id), ATTEMPT: str(attempt)}
    return headers | {RETRY_FOR: failed_in} if failed_in else headers
