"""The pages of dead letters: reading (`browsing`) and changing (`deciding`)."""

from dlq.views.browsing import body, letter, letters, news, raw
from dlq.views.deciding import discard, reopen, resolve, retry

__all__ = ["body", "discard", "letter", "letters", "news", "raw", "reopen", "resolve", "retry"]
