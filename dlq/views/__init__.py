"""The pages of dead letters: reading (`browsing`), closing (`deciding`), sending again (`retrying`),
groups (`triaging`), edits (`editing`), filters (`saving`)."""

from dlq.views.browsing import body, letter, letters, news, raw
from dlq.views.deciding import discard, read_again, reopen, resolve
from dlq.views.editing import edit, edit_check, edit_decide, waiting
from dlq.views.retrying import job, job_control, job_csv, job_progress, jobs, retry
from dlq.views.saving import filters, forget_filter
from dlq.views.triaging import decide, undo_rule

__all__ = [
    "body",
    "decide",
    "discard",
    "edit",
    "edit_check",
    "edit_decide",
    "filters",
    "forget_filter",
    "job",
    "job_control",
    "job_csv",
    "job_progress",
    "jobs",
    "letter",
    "letters",
    "news",
    "raw",
    "read_again",
    "reopen",
    "resolve",
    "retry",
    "undo_rule",
    "waiting",
]
