"""The tables of dead letters: what died (`letters`), and what was sent again (`retries`, `jobs`)."""

from dlq.models.jobs import JobState, RedirectRule, RetryJob, SkippedLetter, SkipReason
from dlq.models.letters import DeadLetter, DeadLetterGroup, GroupCount, PastFailure, Reason, Status
from dlq.models.retries import ALIVE, Retry, RetryState

__all__ = [
    "ALIVE",
    "DeadLetter",
    "DeadLetterGroup",
    "GroupCount",
    "JobState",
    "PastFailure",
    "Reason",
    "RedirectRule",
    "Retry",
    "RetryJob",
    "RetryState",
    "SkipReason",
    "SkippedLetter",
    "Status",
]
