"""The tables of dead letters: what died (`letters`), and what was sent again (`retries`, `jobs`), what
people add (`reviews`)."""

from dlq.models.jobs import JobState, RedirectRule, RetryJob, SkippedLetter, SkipReason
from dlq.models.letters import DeadLetter, DeadLetterGroup, GroupCount, Lane, PastFailure, Reason, Status
from dlq.models.retries import ALIVE, Retry, RetryState
from dlq.models.reviews import Edit, EditState, GroupComment, GroupRule, RuleKind, SavedFilter

__all__ = [
    "ALIVE",
    "DeadLetter",
    "DeadLetterGroup",
    "Edit",
    "EditState",
    "GroupComment",
    "GroupCount",
    "GroupRule",
    "JobState",
    "Lane",
    "PastFailure",
    "Reason",
    "RedirectRule",
    "Retry",
    "RetryJob",
    "RetryState",
    "RuleKind",
    "SavedFilter",
    "SkipReason",
    "SkippedLetter",
    "Status",
]
