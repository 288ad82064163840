"""The pages of dead letters: reading (`browsing`), closing (`deciding`), sending again (`retrying`)."""

from dlq.views.browsing import body, letter, letters, news, raw
from dlq.views.deciding import discard, reopen, resolve
from dlq.views.retrying import job, job_control, job_csv, job_progress, jobs, retry

__all__ = [
    "body",
    "discard",
    "job",
    "job_control",
    "job_csv",
    "job_progress",
    "jobs",
    "letter",
    "letters",
    "news",
    "raw",
    "reopen",
    "resolve",
    "retry",
]
