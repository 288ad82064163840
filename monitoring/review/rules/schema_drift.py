"""Events that do not fit the schema that is declared for them."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from django.urls import reverse

from monitoring.review.facts import Facts
from monitoring.review.models import Severity
from monitoring.review.piece import select
from monitoring.review.rule import Evidence, Rule, Verdict, event_type


class Broken(msgspec.Struct, frozen=True):
    """The events of one type of a service that broke their schema: those stored, those refused."""

    service: str
    event_type: str
    stored: int
    refused: int
    all: int
    first_at: datetime
    last_at: datetime
    reason: str
    letter: int | None


class SchemaDrift(Rule):
    """Reads what validation at ingest counted; nothing is validated again."""

    key = "schema-drift"
    title = "Schema drift"
    severity = Severity.FLAW

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each type of a service."""
        for one in _broken(facts.since, facts.now):
            n = one.stored + one.refused
            what = [
                words
                for words in (
                    f"{one.stored} were stored all the same" if one.stored else "",
                    f"{one.refused} became dead letters" if one.refused else "",
                )
                if words
            ]
            drift = Evidence(
                "drift report", reverse("schema-drift", args=[one.event_type]), "where, and since when"
            )
            letter = (
                [
                    Evidence(
                        f"dead letter {one.letter}", reverse("dead-letter", args=[one.letter]), "one of them"
                    )
                ]
                if one.letter
                else []
            )
            yield Verdict(
                service=one.service,
                subject=one.event_type,
                title=f"{one.service or 'An unnamed service'} sends {one.event_type} that breaks its schema",
                detail=f"{n} of {one.all} events do not fit: {', '.join(what)}."
                + (f" The latest: {one.reason}" if one.reason else ""),
                advice="Mend the producer, or give the new shape a version of its own in the catalogue; "
                "it says what that "
                "breaks. Check the producer's schema in its pipeline: manage.py schemas check.",
                n=n,
                of=one.all,
                evidence=[*letter, drift, event_type(one.event_type)],
                first_at=one.first_at,
                last_at=one.last_at,
                severity=Severity.BROKEN if one.refused else None,
            )


def _broken(since: datetime, now: datetime) -> list[Broken]:
    # rollup_bucket (bucket, grain) for what was counted; dead_letter_failed for what was refused.
    rows = select(
        """WITH counted AS (
               SELECT service, event_type, sum(invalid)::bigint AS invalid, sum(received)::bigint AS received,
                   min(bucket) FILTER (WHERE invalid > 0) AS first_at,
                   max(bucket) FILTER (WHERE invalid > 0) AS last_at
               FROM rollups_rollup WHERE bucket >= %s AND bucket <= %s AND event_type <> '' GROUP BY 1, 2
           ), refused AS (
               SELECT coalesce(event_source, '') AS service, event_type, count(*) AS n, min(recorded_at) AS first_at,
                   max(recorded_at) AS last_at, max(id) AS letter,
                   (array_agg(error_message ORDER BY id DESC))[1] AS reason
               FROM dlq_deadletter WHERE last_failed_at >= %s AND reason = 'invalid' AND event_type IS NOT NULL
               GROUP BY 1, 2
           )
           SELECT service, event_type, coalesce(invalid, 0), coalesce(n, 0), coalesce(received, 0) + coalesce(n, 0),
               least(counted.first_at, refused.first_at), greatest(counted.last_at, refused.last_at),
               coalesce(left(reason, 200), ''), letter
           FROM counted FULL JOIN refused USING (service, event_type)
           WHERE coalesce(invalid, 0) + coalesce(n, 0) > 0
           ORDER BY coalesce(invalid, 0) + coalesce(n, 0) DESC LIMIT 200""",
        since,
        now,
        since,
    )
    return [Broken(*row) for row in rows]
