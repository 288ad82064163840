"""Times that are missing, and times that cannot be: from the future, or before their cause; by host where named."""

from collections.abc import Iterable, Sequence

from eventhub.events import queries
from eventhub.events.tombstones import TOMBSTONE
from eventhub.pages.formats import duration
from monitoring.review.causes import causes
from monitoring.review.facts import Counted, Fact, Facts
from monitoring.review.hosts import ahead_by_host
from monitoring.review.models import Severity
from monitoring.review.piece import FUTURE as AHEAD_BY
from monitoring.review.piece import Piece
from monitoring.review.rule import Rule, Verdict, events

UNDATED, FUTURE, BEFORE, CAUSED = "time.none", "time.future", "time.before_cause", "time.caused"
# Whose events they are stamped before.
ASKED_BY = "time.asked_by"
# The same by host, of a sample; the host is the detail.
HOST_SENT, HOST_FUTURE = "time.host", "time.host_future"
# Clocks within this of each other are as good as it gets without special care.
JITTER_S = 1.0
LEAST = 3
LEAST_SHARE = 0.01


class Timestamps(Rule):
    """Looks for the time of each event, and compares it with when the hub recorded it and with its cause's."""

    key = "timestamps"
    title = "Missing times and wrong clocks"
    severity = Severity.FLAW

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """Events without a time, events ahead of the hub's clock, and effects that come before their causes."""
        for one in piece.traffic:
            yield Counted(FUTURE, one.future, one.service, one.event_type, samples=one.future_ids)
            if not one.event_type.endswith(f".{TOMBSTONE}"):  # a key without a value has no place for a time
                yield Counted(UNDATED, one.undated, one.service, one.event_type, samples=one.undated_ids)
        if ahead := sorted({one.service for one in piece.traffic if one.future}):
            for seen in ahead_by_host(piece, ahead, AHEAD_BY):
                samples = [seen.sample] if seen.sample else []
                yield Counted(HOST_SENT, seen.n, seen.service, detail=seen.host)
                yield Counted(HOST_FUTURE, seen.future, seen.service, detail=seen.host, samples=samples)
        for effect in causes(piece):
            if effect.cause_at is None or effect.cause_service == effect.service:
                continue
            yield Counted(CAUSED, 1, effect.service, detail=effect.host)
            if (effect.cause_at - effect.occurred_at).total_seconds() > JITTER_S:
                yield Counted(BEFORE, 1, effect.service, detail=effect.host, samples=[effect.event_id])
                yield Counted(ASKED_BY, 1, effect.service, detail=effect.cause_service or "")

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding a service without times, one a host (or service) that is ahead, one that is behind."""
        yield from _undated(facts)
        yield from _ahead(facts)
        yield from _behind(facts)


def _undated(facts: Facts) -> Iterable[Verdict]:
    sent = facts.total("events", "service")
    for (service,), fact in facts.total(UNDATED, "service").items():
        of = sent[service,].n if (service,) in sent else fact.n
        if not _is_enough(fact.n, of):
            continue
        types = sorted({one.event_type for one in facts.of(UNDATED) if one.service == service})
        yield Verdict(
            service=service,
            subject="no time",
            title=f"{service or 'An unnamed service'} publishes events without a time",
            detail=f"{fact.n} of {of} events do not say when they happened: {', '.join(types[:5])}. EventHub took the "
            "broker’s time, or that of their arrival.",
            advice="Stamp an event when it happens: timestamp in the envelope, time in a CloudEvent, in UTC with "
            "milliseconds. Where the payload has the time under another name, name it in the source’s mapping.",
            n=fact.n,
            of=of,
            evidence=events(fact.samples, "without a time of its own"),
            first_at=fact.first_at,
            last_at=fact.last_at,
        )


def _ahead(facts: Facts) -> Iterable[Verdict]:
    sent = facts.total("events", "service")
    by_host = facts.total(HOST_FUTURE, "service", "detail")
    sent_by_host = facts.total(HOST_SENT, "service", "detail")
    for (service,), fact in facts.total(FUTURE, "service").items():
        of = sent[service,].n if (service,) in sent else fact.n
        named = {
            host: one
            for (whose, host), one in by_host.items()
            if whose == service and host and one.n >= LEAST
        }
        wrong = [
            (host, one, sent_by_host[service, host].n)
            for host, one in named.items()
            if _is_enough(one.n, sent_by_host[service, host].n)
        ]
        for host, one, sampled in wrong:
            others = {name for whose, name in sent_by_host if whose == service} - {
                name for name, _, _ in wrong
            }
            yield _of_the_future(service, host, one, sampled, sorted(others - {""}))
        if not wrong and _is_enough(fact.n, of):
            yield _of_the_future(service, "", fact, of, ())


_STAMP = "and stamp an event when it happens, in UTC: neither with a local time nor with one that is planned."
_ON_A_HOST = f"Its clock is ahead: synchronise it (NTP, chrony), {_STAMP}"
_ON_ANY_HOST = (
    f"A clock is ahead: synchronise the clocks of its hosts (NTP, chrony), {_STAMP} Let events name their host (host "
    "in the metadata): then it is named here."
)


def _of_the_future(service: str, host: str, fact: Fact, of: int, others: Sequence[str]) -> Verdict:
    who = service or "An unnamed service"
    ahead_s = _ahead_s(fact.samples)
    sampled = " sampled of this host" if host else ""
    detail = f"{fact.n} of {of} events{sampled} happened later than EventHub received them"
    detail += f", by {duration(ahead_s)}." if ahead_s else "."
    if others:
        detail += f" The clocks of {', '.join(others[:3])} are right."
    return Verdict(
        service=service,
        subject=f"the future on {host}" if host else "the future",
        title=f"{who}’s host {host} has a clock that is ahead"
        if host
        else f"{who} publishes events from the future",
        detail=detail,
        advice=_ON_A_HOST if host else _ON_ANY_HOST,
        n=fact.n,
        of=of,
        evidence=events(fact.samples, "from the future"),
        first_at=fact.first_at,
        last_at=fact.last_at,
    )


def _behind(facts: Facts) -> Iterable[Verdict]:
    caused = facts.total(CAUSED, "service", "detail")
    ahead = {service for (service,) in facts.total(FUTURE, "service")}
    asked_by = {one.service: one.detail for one in sorted(facts.of(ASKED_BY), key=lambda one: one.n)}
    for (service, host), fact in facts.total(BEFORE, "service", "detail").items():
        of = caused[service, host].n if (service, host) in caused else fact.n
        other = asked_by.get(service, "")
        if not _is_enough(fact.n, of) or other in ahead:
            continue  # it is the clock of who sends the causes that is wrong
        who = service or "An unnamed service"
        yield Verdict(
            service=service,
            subject=f"before the cause on {host}" if host else "before the cause",
            title=f"{who}’s host {host} has a clock that is behind"
            if host
            else f"{who} answers before it is asked: its clock is behind",
            detail=f"{fact.n} of {of} of its events are stamped earlier than the events of {other or 'others'} that "
            "caused them.",
            advice="Synchronise the clocks of its hosts (NTP, chrony). Until then order by causation and by stream "
            "version, never by time.",
            n=fact.n,
            of=of,
            evidence=events(fact.samples, "earlier than its cause"),
            first_at=fact.first_at,
            last_at=fact.last_at,
        )


def _is_enough(n: int, of: int) -> bool:
    return n >= LEAST and n / max(1, of) >= LEAST_SHARE


def _ahead_s(event_ids: Sequence[str]) -> float | None:
    """How far the latest of these are ahead, in seconds; None where they are gone."""
    found = [
        (one.occurred_at - one.recorded_at).total_seconds()
        for event_id in event_ids[:2]
        for one in queries.events_by_id(event_id, 1)
    ]
    return max(found, default=None)
