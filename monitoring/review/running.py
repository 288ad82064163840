"""A run of the review: read what is new in pieces, then judge, settle and score."""

import logging
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction

from monitoring.review import exempting, facts, scoring, settling
from monitoring.review.facts import Counted, Facts
from monitoring.review.models import ReviewProgress
from monitoring.review.piece import Piece, next_piece
from monitoring.review.rule import Rule
from monitoring.review.rules import RULES

log = logging.getLogger(__name__)

# How long one run reads before it lets others have the worker; the rest is read by the next.
RUN_S = 20.0
SETTLE_S = 20.0
# Judging looks at a whole day; it need not do so for every few seconds of it.
JUDGE_EVERY_S = 30.0
EVENTS = "events"


def run(
    run_s: float = RUN_S,
    settle_s: float = SETTLE_S,
    rules: Sequence[Rule] = RULES,
    now: datetime | None = None,
    judge_every_s: float = 0.0,
) -> int:
    """Read what came since the last run, for a while, and judge; how many events were read.

    Does nothing while another worker is at it, and judges no more often than wanted.
    """
    until = time.monotonic() + run_s
    read = 0
    while (n := _read(settle_s, rules)) and time.monotonic() < until:
        read += n
    if n is not None and (now or judge_every_s <= 0 or _is_due(judge_every_s)):
        judge(rules, now)
    return read + (n or 0)


@transaction.atomic
def _read(settle_s: float, rules: Sequence[Rule]) -> int | None:
    """Read one piece; how many events it held, 0 at the end of the log, None while another worker reads."""
    ReviewProgress.objects.get_or_create(pk=1)
    progress = ReviewProgress.objects.select_for_update(skip_locked=True).filter(pk=1).first()
    if progress is None:
        return None
    piece = next_piece((progress.txid, progress.position), settle_s)
    if piece is None:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SET LOCAL enable_seqscan = off"
        )  # a piece is a small part of the log, and lies in an index
    facts.add([*_traffic(piece), *_collected(piece, rules)], piece.until)
    progress.txid, progress.position = piece.end
    progress.read_until = piece.until
    progress.looked_at += piece.n
    progress.save()
    return piece.n


def _traffic(piece: Piece) -> Iterable[Counted]:
    """What every rule asks for: which service sends which type how often."""
    return [Counted(EVENTS, one.n, one.service, one.event_type) for one in piece.traffic]


def _collected(piece: Piece, rules: Sequence[Rule]) -> list[Counted]:
    found: list[Counted] = []
    for rule in rules:
        try:
            with transaction.atomic():
                found += rule.collect(piece)
        except Exception:
            log.exception("The rule %s could not read a piece of the log", rule.key)
    return found


def _is_due(every_s: float) -> bool:
    judged_at = ReviewProgress.objects.values_list("judged_at", flat=True).get(pk=1)
    return judged_at is None or datetime.now(UTC) - judged_at >= timedelta(seconds=every_s)


@transaction.atomic
def judge(rules: Sequence[Rule] = RULES, now: datetime | None = None) -> None:
    """Let every rule judge what was counted, and bring the findings and scores in line."""
    now = now or datetime.now(UTC)
    ReviewProgress.objects.select_for_update().filter(pk=1).first()
    known = facts.facts(now)
    exempt = exempting.exemptions()
    for rule in rules:
        try:
            with transaction.atomic():
                verdicts = [one for one in rule.judge(known) if not exempt.covers(rule.key, one)]
                settling.settle(rule, verdicts, now)
        except Exception:
            log.exception("The rule %s could not judge", rule.key)
    scoring.write(services(known), now)
    facts.forget(now)
    ReviewProgress.objects.filter(pk=1).update(judged_at=now)


def services(known: Facts) -> list[str]:
    """Who published anything in the last 24 hours."""
    return sorted({fact.service for fact in known.of(EVENTS) if fact.service})
