"""Driving one job under its lease: the loop that carries out what ``planning`` decides.

While the broker confirms one batch, the letters of the batch before are marked and the next is read. What is in
flight at any moment is one batch; a worker that takes over after a crash sends that one again, under the same event
ids, and says so in the audit log.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from dlq.jobs import batches, bucket, lease, marking, planning, tally
from dlq.jobs.flight import Flight, posted
from dlq.jobs.marks import Marks, patiently
from dlq.jobs.options import Options, read_options
from dlq.jobs.picking import Picker
from dlq.jobs.planning import Facts, Next
from dlq.jobs.ramp import Look
from dlq.jobs.row import Row
from dlq.jobs.selection import read_selection
from dlq.jobs.sending import Packed, Packer, Senders, Sent, fitting
from dlq.models import JobState, RetryJob, RetryState
from eventhub.running.stopping import is_asked
from eventhub.running.turns import take_turns_often

log = logging.getLogger(__name__)
# A job of so few letters tells its asker at once when the broker cannot be reached, instead of trying on.
SMALL = 20
# A batch that was begun this often, each time by a worker that then died, is not begun again.
MOST_SENDS = 3
# Batches in a row that the broker did not take, before the job pauses.
MOST_TROUBLES = 8
LONGEST_PAUSE_S = 60.0
# A wait that is shorter than this is slept; for a longer one the worker turns to other jobs.
SLEPT_S = 1.0
RELEASED_AT_ONCE = 5_000


def drive(job: RetryJob, seconds: float) -> None:
    """Drive a job whose lease was taken, for about so many seconds, and give the lease back.

    Must not run inside a transaction: its steps have to be durable one by one.
    """
    if connection.in_atomic_block:
        raise RuntimeError("drive() needs its steps committed: call it outside of a transaction.")
    take_turns_often()
    taken_for = job.next_at
    with lease.Heartbeat(job), Senders() as senders, Marks(job.pk) as marks:
        driver = Driver(job, senders, marks)
        try:
            next_at = driver.run(seconds)
        except lease.LeaseLost as lost:
            log.warning("%s", lost)
            return
        except Exception as error:
            log.exception("Retry job %d failed", job.pk)
            next_at = driver.stumble(error)
        finally:
            driver.land()
    lease.give_back(driver.job, next_at, taken_for)


class Driver:
    """One worker's turn with one job."""

    def __init__(self, job: RetryJob, senders: Senders, marks: Marks) -> None:
        self._row = Row(job)
        self.options: Options = read_options(job.options)
        self._senders = senders
        self._packer = Packer(self.options)
        self._tally = tally.read_tally(job)
        self._count_at = 0.0
        self._marks = marks
        self._under_way: Flight | None = None
        self._ahead: Packed | None = None
        self._picker = Picker(job, self.options)
        self._is_in_trouble = False

    @property
    def job(self) -> RetryJob:
        """The job, as it was read or written last."""
        return self._row.job

    def run(self, seconds: float) -> datetime:
        """Go on with the job until it waits for something or the time is over; returns when it is due again."""
        deadline = time.monotonic() + seconds
        self._take_over()
        self._recover()
        if wait_s := self._after_trouble():
            return timezone.now() + timedelta(seconds=wait_s)
        while time.monotonic() < deadline and not is_asked():
            step = planning.plan(self._facts(), self.options)
            pause_s = self._do(step)
            if pause_s is None:
                return timezone.now()
            if pause_s > SLEPT_S:
                self._marks.write()
                return timezone.now() + timedelta(seconds=pause_s)
            if pause_s:
                self._marks.write()
                time.sleep(pause_s)
        self._marks.write()
        return timezone.now()

    def land(self) -> None:
        """Bring home what is under way, whatever else went wrong: what the broker confirmed is marked."""
        if self._under_way is not None:
            flight, self._under_way = self._under_way, None
            try:
                self._marks.add(flight.posted(flight.result.result().confirmed), flight.begun_at)
            except Exception:
                log.exception("Publishing failed in retry job %d", self.job.pk)
        self._marks.write()

    def stumble(self, error: Exception) -> datetime:
        """Note an error that nobody foresaw, so that the job tries on and does not try for ever."""
        self._is_in_trouble = True
        self._row.change(troubles=self.job.troubles + 1, reason=f"{type(error).__name__}: {error}"[:500])
        return timezone.now() + timedelta(seconds=self._after_trouble())

    # -- deciding --------------------------------------------------------------------------------------------

    def _facts(self) -> Facts:
        job = self.job
        look = Look()
        needs_outcomes = self.options.canary or self.options.limit is not None
        if needs_outcomes:
            self._marks.write()
        if needs_outcomes or time.monotonic() >= self._count_at:
            self._recount()
        if self.options.limit is not None:
            look = self._look()
        return Facts(
            state=JobState(job.state),
            now=timezone.now(),
            tally=self._tally,
            is_marked=job.is_marked,
            start_at=job.start_at,
            canary_passed=job.canary_passed,
            step=job.step,
            look=look,
            canary_sent_s=_since(job.step_started_at),
        )

    def _recount(self) -> None:
        """Count what became of the letters, and read what people decided about the job meanwhile."""
        began = time.monotonic()
        self._tally = tally.refresh(self.job)
        took = time.monotonic() - began
        self._count_at = time.monotonic() + max(1.0, 20 * took)
        self._row.refresh()

    def _look(self) -> Look:
        job = self.job
        step = tally.count_since(job.pk, job.step_started_at) if job.step_started_at else tally.Tally()
        judged = tally.count_since(job.pk, job.judged_from) if job.judged_from else self._tally
        return Look(
            step_sent=step.sent,
            step_settled=step.sent - step.awaited,
            step_returned=step.returned,
            waited_s=_since(job.step_started_at) or 0.0,
            sent=judged.sent,
            returned=judged.returned,
        )

    def _do(self, step: Next) -> float | None:
        """Carry out a step; returns how long to wait after it, None when there is nothing more to do."""
        match step.do:
            case "mark":
                if marking.mark_some(self.job, read_selection(self.job.selection), self.options):
                    self._row.change(is_marked=True)
                self._count_at = 0.0
                return 0.0
            case "send":
                return self._send(step.limit, step.state or JobState.RUNNING)
            case "canary":
                return self._send(step.limit, JobState.CANARY)
            case "pass":
                self._row.change(canary_passed=True, state=JobState.RUNNING, reason="")
                return 0.0
            case "wait":
                if step.state and (step.state != self.job.state or step.why != self.job.reason):
                    self._row.change(state=step.state, reason=step.why)
                self._count_at = 0.0
                return step.wait_s
            case "pause":
                self._row.change(state=JobState.PAUSED, reason=step.why)
                return None
            case "release":
                self._marks.write()
                why = f"The job was {self.job.get_state_display()} before its turn came."
                batches.withdraw(self.job, why, RELEASED_AT_ONCE)
                self._recount()
                return 0.0
            case "end":
                self._end(step)
                return 0.0
            case "nothing":
                self._marks.write()
                if self.job.is_over:
                    self._recover()
                    self._recount()
                    self._row.change(is_finished=not (self._tally.waiting or self._tally.in_flight))
                return None

    # -- sending ---------------------------------------------------------------------------------------------

    def _send(self, limit: int, state: JobState) -> float:
        now = timezone.now()
        tokens: dict[str, Any] = {}
        if rate := self.options.rate_per_s:
            taken = bucket.take(bucket.Bucket(self.job.tokens, self.job.tokens_at), rate, limit, now)
            if not taken.granted:
                return taken.wait_s
            limit = taken.granted
            tokens = {"tokens": taken.bucket.tokens, "tokens_at": taken.bucket.at}
        if self._ahead is None:
            self._marks.write()
        packed = self._ahead or self._prepare(limit)
        self._ahead = None
        if packed is None:
            self._recount()
            return self._picker.wait_s() if self._tally.waiting else 0.0
        if self.options.ramp or state == JobState.CANARY:
            tokens |= {"step_started_at": now, "step": self.job.step + (state != JobState.CANARY)}
        self._publish(packed, state, tokens)
        return self._after_trouble()

    def _prepare(self, limit: int) -> Packed | None:
        candidates = self._picker.pick(self.job, limit)
        if not candidates:
            return None
        ids = fitting(candidates)
        if len(ids) < len(candidates):
            self._picker.begin_anew(after_id=ids[-1])
        self._picker.begun(candidates[: len(ids)])
        return self._packer.pack(ids)

    def _publish(
        self, packed: Packed, state: JobState, changes: dict[str, Any], resend: Sequence[int] = ()
    ) -> None:
        """Begin the batch, publish it, and bring home what the broker says; the batch before is marked on the way."""
        self._marks.wait()
        begun_at = timezone.now()
        ids = [parcel.retry_id for parcel in packed.parcels]
        begun = patiently(
            self.job.pk, lambda: self._row.begin(ids, self._marks.retry_ids, state, changes, resend)
        )
        if begun is None:
            self._count_at = 0.0
        if parcels := [parcel for parcel in packed.parcels if parcel.retry_id in (begun or ())]:
            self._under_way = Flight(parcels, begun_at, self._senders.start(parcels))
        if self._may_read_ahead():
            self._marks.write_aside()
        else:
            self._marks.write()
        if packed.homeless:
            batches.finish(packed.homeless, RetryState.NOT_PUBLISHED)
        if packed.closed:
            why = "Its letter was closed before its turn came."
            batches.finish(dict.fromkeys(packed.closed, why), RetryState.WITHDRAWN)
        if self._ahead is None and self._may_read_ahead():
            self._ahead = self._prepare(self.options.batch_size)
        if self._under_way is not None:
            flight = self._under_way
            sent = flight.result.result()
            self._under_way = None
            self._take_in(flight, sent)

    def _may_read_ahead(self) -> bool:
        return self.options.is_plain and self.job.state == JobState.RUNNING and self.options.limit is None

    def _take_in(self, flight: Flight, sent: Sent) -> None:
        self._marks.add(flight.posted(sent.confirmed), flight.begun_at)
        if sent.refused:
            batches.finish(sent.refused, RetryState.NOT_PUBLISHED, flight.destinations)
        if sent.trouble and self._tally.total <= SMALL:
            why = dict.fromkeys([*sent.unsent, *sent.unknown], f"It could not be sent: {sent.trouble}")
            batches.finish(why, RetryState.NOT_PUBLISHED, flight.destinations)
        elif sent.trouble:
            self._marks.write()
            self._row.interrupt(sent.unknown)
            self._picker.begin_anew()
            self._is_in_trouble = True
            self._row.change(troubles=self.job.troubles + 1, reason=sent.trouble)
        elif self.job.troubles:
            self._row.change(troubles=0)

    def _after_trouble(self) -> float:
        """How long to leave the broker alone; pauses the job when it has been in trouble for long."""
        if not self._is_in_trouble:
            return 0.0
        self._is_in_trouble = False
        self._count_at = 0.0
        if self.job.troubles >= MOST_TROUBLES:
            self._row.change(
                state=JobState.PAUSED,
                troubles=0,
                reason=f"It did not get on {MOST_TROUBLES} times in a row: {self.job.reason} "
                "Resume when that is repaired.",
            )
            return 0.0
        # Longer than what is slept: the next turn begins with what is in flight.
        return max(SLEPT_S + 0.5, min(LONGEST_PAUSE_S, 2.0 ** (self.job.troubles - 1)))

    def _take_over(self) -> None:
        """Note what a turn before this one left half done, if it did: its last batches."""
        if self.job.confirmed and (out := batches.still_claimed(self.job.confirmed)):
            self._marks.add(posted(self._packer.pack(sorted(out)).parcels, out), timezone.now())
            self._marks.write()
        if self.job.in_flight and batches.still_claimed(self.job.in_flight):
            self._row.interrupt(self.job.in_flight)

    def _recover(self) -> None:
        """Send again what may be out or not, under the same event ids; leave to people what was tried too often."""
        begun = batches.interrupted(self.job)
        if begun and self.job.state != JobState.PAUSED:
            lost = {one.retry_id for one in begun if one.sends >= MOST_SENDS or self.job.is_over}
            if lost:
                why = (
                    "It may have been published or not: EventHub was stopped while it sent this"
                    f"{', and the job was cancelled since' if self.job.is_over else ', several times'}. Look at the "
                    "trace before you retry it: the event would carry the same id."
                )
                batches.finish(dict.fromkeys(lost, why), RetryState.UNCERTAIN)
            left = [one for one in begun if one.retry_id not in lost]
            while left and not self._is_in_trouble:
                ids = fitting(left[: self.options.batch_size])
                self._publish(self._packer.pack(ids), JobState(self.job.state), {}, resend=ids)
                left = left[len(ids) :]
        self._count_at = 0.0

    # -- writing ---------------------------------------------------------------------------------------------

    def _end(self, step: Next) -> None:
        self._marks.write()
        self._recount()
        if self._tally.waiting or self._tally.in_flight:
            return
        why = step.why or ("" if self._tally.total else "None of the letters was there to be sent.")
        self._row.change(state=step.state, reason=why, finished_at=timezone.now(), is_finished=True)


def _since(at: datetime | None) -> float | None:
    return None if at is None else (timezone.now() - at).total_seconds()
