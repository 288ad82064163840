"""Events that are tried again and again: storms of retries, and poison that fails every time."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from django.db.models import Count as CountOf
from django.db.models import Max, Min
from django.urls import reverse

from dlq.models import DeadLetter
from monitoring.review.attempts import MANY_FROM, Tries, of_handlers
from monitoring.review.facts import Counted, Facts
from monitoring.review.models import Severity
from monitoring.review.piece import Piece
from monitoring.review.receipts import reports
from monitoring.review.rule import Evidence, Rule, Verdict, events

TRIED, FAILED, MANY = "attempt.any", "attempt.failed", "attempt.many"
LEAST = 3
# A consumer that fails this often is no consumer of that type.
FAILING_SHARE = 0.5
LEAST_TRIED = 20
# A letter that came back so often is poison: no retry heals it.
POISON_RETURNS = 3
MOST_GROUPS = 50


class RetryStorms(Rule):
    """Counts attempts by what services report and what EventHub's own handlers did, and letters that came back."""

    key = "retry-storms"
    title = "Poison and retry storms"
    severity = Severity.FLAW

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """Attempts by consumer and type: all, those that failed, those that were one too many."""
        found = reports(piece)
        tried = Counter((one.service, one.event_type) for one in found)
        failed = Counter((one.service, one.event_type) for one in found if not one.succeeded)
        for measure, counted in ((TRIED, tried), (FAILED, failed)):
            for (service, name), n in counted.items():
                yield Counted(measure, n, service, name)
        for one in found:
            if not one.succeeded and one.attempt >= MANY_FROM:
                yield Counted(MANY, 1, one.service, one.event_type, samples=[one.event_id])

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each type that a consumer hammers at or fails on, and for each poisonous group."""
        tried = facts.total(TRIED, "service", "event_type")
        many = facts.total(MANY, "service", "event_type")
        for key, fact in facts.total(FAILED, "service", "event_type").items():
            hammered = many.get(key)
            shown = hammered or fact
            service, name = key
            tries = Tries(
                service, name, tried[key].n, fact.n, hammered.n if hammered else 0,
                [*shown.samples], shown.first_at, shown.last_at,
            )  # fmt: skip
            yield from _storm(tries, "Back off")
        for tries in of_handlers(facts.since):
            yield from _storm(tries, "Let its Retry back off")
        yield from _poison(facts.since)


def _storm(tries: Tries, back_off: str) -> Iterable[Verdict]:
    is_storm = tries.hammered >= LEAST
    is_failing = tries.tried >= LEAST_TRIED and tries.failed / tries.tried >= FAILING_SHARE
    if not (is_storm or is_failing):
        return
    who = tries.consumer or "An unnamed service"
    yield Verdict(
        service=tries.consumer,
        subject=tries.event_type,
        title=f"{who} tries {tries.event_type} again and again",
        detail=f"{tries.failed} of {tries.tried} attempts failed"
        + (f", {tries.hammered} of them the fifth or later for the same event." if tries.hammered else "."),
        advice=f"{back_off} exponentially with jitter, give up after a few attempts, and let the dead letter wait for "
        "a person. Tell errors that pass from those that never do: a bad address is not tried twice.",
        n=tries.failed,
        of=tries.tried,
        evidence=events(tries.samples, f"failed in {tries.consumer}"),
        first_at=tries.first_at,
        last_at=tries.last_at,
        severity=Severity.BROKEN if is_failing else None,
    )


def _poison(since: datetime) -> Iterable[Verdict]:
    rows = (
        DeadLetter.objects.filter(
            last_failed_at__gte=since, returns__gte=POISON_RETURNS
        )  # dead_letter_failed
        .values("group_id", "group__title", "failed_in", "event_type")
        .annotate(n=CountOf("id"), one=Max("id"), first=Min("first_failed_at"), last=Max("last_failed_at"))
        .order_by("-n")[:MOST_GROUPS]
    )
    for row in rows:
        href = reverse("dead-letter", args=[row["one"]])
        yield Verdict(
            service=row["failed_in"] or "",
            subject=f"poison {row['group_id']}",
            title=f"{row['failed_in'] or 'A consumer'} is sent poison: {row['group__title']}",
            detail=f"{row['n']} letters of {row['event_type'] or 'an unknown type'} came back from "
            f"{POISON_RETURNS} retries or more.",
            advice="Retrying does not heal it: mend the handler or edit the event, then retry one letter "
            "first. Have the "
            "producer check what it sends, and give the type a schema that is enforced.",
            n=row["n"],
            evidence=[Evidence(f"dead letter {row['one']}", href, "the latest of them")],
            first_at=row["first"],
            last_at=row["last"],
        )
