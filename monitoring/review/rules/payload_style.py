"""Payloads that are not what their type is declared to be, and consumers that have to ask back."""

from collections.abc import Iterable

from eventhub.schemas.models import EventType, Style
from monitoring.review.english.judging import judge as read
from monitoring.review.facts import Counted, Facts
from monitoring.review.models import Severity
from monitoring.review.piece import Piece
from monitoring.review.rule import Rule, Verdict, event_type, events
from monitoring.review.sampling import latest
from monitoring.review.shapes import bulks

LOOKED, BYTES, LEAVES = "payload.looked", "payload.bytes", "payload.leaves"
# A notification names what happened and to what: so many values, so many bytes are enough for that.
MOST_VALUES, MOST_BYTES = 12, 1_000
# A state transfer with fewer values than this makes everybody ask for the rest.
LEAST_VALUES = 3
LEAST = 5
# A consumer that asks back after so many of the events cannot do with what they say.
ASKS_BACK = 0.5
ASKING = frozenset(("get", "fetch", "query", "request", "load", "read", "lookup", "retrieve", "find"))


class PayloadStyle(Rule):
    """Looks into a sample of the types whose style the catalogue declares, and at who asks whom for more."""

    key = "payload-style"
    title = "Payloads against their style"
    severity = Severity.ADVICE

    def collect(self, piece: Piece) -> Iterable[Counted]:
        """Values and bytes of types with a declared style."""
        declared = set(EventType.objects.exclude(style="").values_list("name", flat=True))
        wanted = sorted(declared & {one.event_type for one in piece.traffic})
        if not wanted:
            return
        for one in bulks(piece, wanted):
            yield Counted(LOOKED, one.n, one.service, one.event_type, samples=[one.sample])
            yield Counted(BYTES, one.size_bytes, one.service, one.event_type)
            yield Counted(LEAVES, one.leaves, one.service, one.event_type)

    def judge(self, facts: Facts) -> Iterable[Verdict]:
        """One finding for each type that is too fat or too thin, and for each consumer that asks back."""
        styles = dict(EventType.objects.exclude(style="").values_list("name", "style"))
        size = facts.total(BYTES, "service", "event_type")
        leaves = facts.total(LEAVES, "service", "event_type")
        for key, fact in facts.total(LOOKED, "service", "event_type").items():
            service, name = key
            values, n_bytes = leaves[key].n / fact.n, size[key].n / fact.n
            is_fat = values > MOST_VALUES or n_bytes > MOST_BYTES
            style = styles.get(name)
            if fact.n < LEAST or not (
                (style == Style.NOTIFICATION and is_fat)
                or (style == Style.STATE_TRANSFER and values < LEAST_VALUES)
            ):
                continue
            fat = style == Style.NOTIFICATION
            yield Verdict(
                service=service,
                subject=name,
                title=f"{service or 'An unnamed service'} sends {name} as "
                + (
                    "a notification that carries everything"
                    if fat
                    else "a state transfer that carries next to nothing"
                ),
                detail=f"The catalogue declares it as {'a notification' if fat else 'state transfer'}; its events hold "
                f"{values:.0f} values in {n_bytes:,.0f} bytes on average.",
                advice=(
                    "Leave out what consumers can ask for: the ids, what happened, and when. Or declare it as state "
                    "transfer, so that its schema is a contract."
                    if fat
                    else "Tell the whole state after the change, so that nobody has to ask back. Or declare it as a "
                    "notification."
                ),
                n=fact.n,
                evidence=[event_type(name, "how it is declared"), *events(fact.samples)],
                first_at=fact.first_at,
                last_at=fact.last_at,
            )
        yield from _asking_back(facts)


def _asking_back(facts: Facts) -> Iterable[Verdict]:
    sent = facts.total("events", "service", "event_type")
    flow = facts.flow
    for (name, publisher), effects in flow.hops.items():
        fact = sent.get((publisher, name))
        for (question, consumer), times in effects.items():
            judged = read(question)
            asks = judged.word in ASKING or any(word in ("query", "lookup") for word in judged.words)
            answered = publisher in flow.deliveries.get((question, consumer), {})
            if not (fact and asks and answered and consumer != publisher):
                continue
            if times < LEAST or times / fact.n < ASKS_BACK:
                continue
            yield Verdict(
                service=publisher,
                subject=f"{name} asked back by {consumer}",
                title=f"{consumer} asks {publisher or 'the publisher'} back after {name}",
                detail=f"{times} of {fact.n} were followed by {question}, which {publisher} answers: the "
                "event does not say "
                "what its consumer needs.",
                advice="Put into the event what the consumer asks for, and declare it as state transfer.",
                n=times,
                of=fact.n,
                evidence=[
                    event_type(name),
                    *latest(name)[:2],
                    event_type(question),
                    *latest(question, "asks back")[:2],
                ],
                first_at=fact.first_at,
                last_at=fact.last_at,
            )
