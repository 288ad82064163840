"""The exceptions that a team keeps in the admin: what rules leave alone."""

from collections.abc import Sequence

from eventhub.handlers.patterns import matches
from monitoring.review.models import Exemption
from monitoring.review.rule import Verdict


class Exemptions:
    """All exceptions, ready to be asked."""

    def __init__(self, rows: Sequence[Exemption]) -> None:
        self._rows = [(row.rule, row.service, row.pattern) for row in rows]

    def covers(self, rule: str, verdict: Verdict) -> bool:
        """Whether a rule's verdict is about something that is to be left alone."""
        return any(
            key in ("", rule) and service in ("", verdict.service) and matches([pattern], verdict.subject)
            for key, service, pattern in self._rows
        )


def exemptions() -> Exemptions:
    """The exceptions as they are now."""
    return Exemptions(list(Exemption.objects.all()))
