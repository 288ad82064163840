"""Taking an order to send letters again: a job with its letters marked, sent at once when it is small."""

import logging
from collections.abc import Sequence
from datetime import datetime

from django.db import IntegrityError, connection, transaction
from kombu.exceptions import OperationalError

from dlq import tasks
from dlq.jobs import driving, lease, marking, tally
from dlq.jobs.options import Options
from dlq.jobs.selection import Selection, in_words
from dlq.models import DeadLetter, RetryJob, SkippedLetter, SkipReason
from dlq.retry import NO_WORD_AFTER, Refusal
from dlq.routes import NoRoute, Redirects, route_of
from eventhub.access import audit
from eventhub.access.audit import Actor

log = logging.getLogger(__name__)
# So many letters are sent while their asker waits, if the broker is not slower than this.
SENT_AT_ONCE = driving.SMALL
WAITED_FOR_S = 15.0


class NothingToSend(Exception):
    """None of the chosen letters can be sent now; `refusals` says why, for each."""

    def __init__(self, refusals: Sequence[Refusal]) -> None:
        self.refusals = list(refusals)
        super().__init__(self.refusals[0].why if self.refusals else "No open letter fits.")


def start(
    selection: Selection,
    actor: Actor,
    options: Options | None = None,
    *,
    start_at: datetime | None = None,
    request_id: str | None = None,
) -> RetryJob:
    """Make a job of these letters and set it going. Must not run inside a transaction.

    Asked twice with the same `request_id`, it answers with the job of the first time. A few letters that nothing
    holds back are sent when it returns. Raises NothingToSend when no letter can be sent.
    """
    if connection.in_atomic_block:
        raise RuntimeError("start() needs its job committed: call it outside of a transaction.")
    options = options or Options()
    if request_id and (known := RetryJob.objects.filter(request_id=request_id).first()):
        return known
    _refuse_homeless(selection, options)
    try:
        job = _make(selection, actor, options, start_at, request_id)
    except IntegrityError:
        # The same request at the same moment: the other one made it.
        if request_id and (known := RetryJob.objects.filter(request_id=request_id).first()):
            return known
        raise
    if job.is_marked and job.marked_count <= SENT_AT_ONCE and options.is_plain and start_at is None:
        if leased := lease.take(job.pk):
            driving.drive(leased, WAITED_FOR_S)
    else:
        wake_a_worker()
    job.refresh_from_db()
    return job


def wake_a_worker() -> None:
    """Have a worker look for due jobs now rather than at the next tick."""
    try:
        tasks.drive_jobs.delay()
    except OperationalError as error:
        log.warning("No worker could be woken: %s. The jobs are there, and go on when one runs.", error)


@transaction.atomic
def _make(
    selection: Selection,
    actor: Actor,
    options: Options,
    start_at: datetime | None,
    request_id: str | None,
) -> RetryJob:
    latest = DeadLetter.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    job = RetryJob.objects.create(
        request_id=request_id,
        title=in_words(selection),
        selection=selection.as_json(),
        options=options.as_json(),
        requested_by=actor.name[:150],
        start_at=start_at,
        last_letter_id=latest,
    )
    job.is_marked = marking.mark_some(job, selection, options)
    if job.is_marked and not job.marked_count:
        raise NothingToSend(_refusals(job, selection))
    job.save(update_fields=["is_marked"])
    tally.refresh(job)
    audit.record(
        actor,
        "retry",
        f"dead letter {selection.letters[0]}"
        if len(selection.letters) == 1
        else f"dead letters: {job.title}",
        job=job.pk,
        options=job.options,
        **{} if start_at is None else {"start_at": start_at.isoformat()},
        **{"letters": selection.letters} if selection.letters else {"filter": job.selection},
    )
    return job


def _refuse_homeless(selection: Selection, options: Options) -> None:
    """Raise NothingToSend when a few letters are named and none of them has anywhere to go."""
    if not selection.letters or len(selection.letters) > SENT_AT_ONCE:
        return
    redirects = Redirects.in_force(options.redirect_to)
    refusals = []
    for letter in selection.queryset().select_related("source").defer("body", "stack").order_by("pk"):
        try:
            route_of(letter, redirects)
        except NoRoute as error:
            refusals.append(Refusal(letter.pk, str(error)))
    if len(refusals) == len(selection.letters):
        raise NothingToSend(refusals)


def _refusals(job: RetryJob, selection: Selection) -> list[Refusal]:
    skipped = SkippedLetter.objects.filter(job=job).select_related("other_job").order_by("letter_id")
    found = [Refusal(item.letter_id, why_skipped(item)) for item in skipped]
    missing = sorted(set(selection.letters) - {refusal.letter_id for refusal in found})
    return found + [Refusal(pk, f"There is no dead letter {pk}.") for pk in missing]


def why_skipped(item: SkippedLetter) -> str:
    """Why a job leaves a letter alone, in words. Reads `item.other_job`."""
    other = item.other_job
    if item.why == SkipReason.IN_JOB and other:
        return f"It waits in retry job {other.pk}, for {other.requested_by}."
    if item.why == SkipReason.AWAITED:
        whom = f", for {other.requested_by}" if other else ""
        return (
            f"It was sent already{whom}, and its outcome is awaited. It can be sent again when nothing is heard for "
            f"{NO_WORD_AFTER.seconds // 60} minutes."
        )
    return SkipReason(item.why).label
