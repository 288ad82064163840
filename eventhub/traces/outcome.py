"""What an event type's name says about how things went: `payment.failed` is bad news, `order.placed` is not."""

import re
from functools import lru_cache

from eventhub.pages.hues import entity

# Past participles that systems end an event type with when a step did not succeed.
BAD_NEWS = frozenset(
    {
        "failed", "failure", "declined", "rejected", "refused", "denied", "error", "errored", "aborted",
        "bounced", "undeliverable", "timeout", "timedout", "overdue", "unavailable",
    }
)  # fmt: skip

_WORDS = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z0-9]+|[A-Z]+")


def words_of(event_type: str) -> list[str]:
    """The words of a type's name in lower case: order.payment_failed and OrderPaymentFailed are three words."""
    return [word.lower() for word in _WORDS.findall(event_type)]


@lru_cache(4_096)
def is_bad_news(event_type: str) -> bool:
    """Whether the type's name says that a step of the business failed."""
    words = words_of(event_type)
    return bool(BAD_NEWS.intersection(words[-2:])) or words[-2:] == ["timed", "out"]


@lru_cache(4_096)
def said_about(event_type: str, subject: str) -> str:
    """The type as a word of a story about `subject`: "placed" of order.placed, "payment captured" of another's."""
    about, words = entity(event_type), words_of(event_type)
    if about and about in words:
        words = words[words.index(about) + 1 :] if about == subject else words[words.index(about) :]
    return " ".join(words) or event_type
