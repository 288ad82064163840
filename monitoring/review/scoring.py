"""The score: 100 for a service without findings, less for each by its severity."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from monitoring.review.models import Finding, Score, Severity, State

COSTS = {Severity.BROKEN: 15, Severity.FLAW: 7, Severity.ADVICE: 3}
# A finding that is accepted counts: the flaw is there. One that is suppressed is none.
COUNTED = (State.OPEN, State.ACCEPTED)
WHOLE = ""


def scores(services: Iterable[str], findings: Iterable[tuple[str, int]]) -> Mapping[str, tuple[int, int]]:
    """By service: the score 0…100 and how many findings it has. `findings` are (service, severity).

    The whole, under the empty name, is the mean of the services' scores, less what the system as a whole costs.
    """
    costs: dict[str, int] = dict.fromkeys((name for name in services if name != WHOLE), 0)
    counts: dict[str, int] = defaultdict(int)
    for service, severity in findings:
        costs[service] = costs.get(service, 0) + COSTS[Severity(severity)]
        counts[service] += 1
    of_whole = costs.pop(WHOLE, 0)
    found = {service: (max(0, 100 - cost), counts[service]) for service, cost in costs.items()}
    mean = sum(score for score, _ in found.values()) / len(found) if found else 100
    found[WHOLE] = (max(0, round(mean - of_whole)), sum(counts.values()))
    return found


def write(services: Iterable[str], now: datetime) -> None:
    """Note today's scores, in the caller's transaction."""
    counted = Finding.objects.filter(state__in=COUNTED).values_list("service", "severity")
    Score.objects.bulk_create(
        [
            Score(day=now.date(), service=service, score=score, findings=n)
            for service, (score, n) in scores(services, counted).items()
        ],
        update_conflicts=True,
        unique_fields=["day", "service"],
        update_fields=["score", "findings"],
    )
