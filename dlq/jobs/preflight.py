"""What a retry would do, found out beforehand with a few bounded questions: nothing is sent, nothing is written."""

import threading
from collections import Counter
from collections.abc import Sequence

import msgspec
from django.db import connection, connections
from django.db.models import Max

from dlq.edits.message import in_force
from dlq.jobs.findings import Destination, Facts, Finding, judge
from dlq.jobs.options import Options
from dlq.jobs.selection import Selection
from dlq.models import ALIVE, DeadLetter, Reason, Retry, RetryState, Status
from dlq.retry import NotNow, Refusal, refuse_retry
from dlq.routes import NoRoute, Redirects, Route, outgoing, route_of
from eventhub.brokers.adapter import BrokerError, Place, open_adapter
from eventhub.events.decoding import decode
from eventhub.events.envelope import Undecodable
from eventhub.events.message import Message, OutgoingMessage
from eventhub.events.receipts import SUCCEEDED
from eventhub.schemas.validation import Validators

# So many letters, the oldest, are looked at one by one; the others are counted.
LOOKED_AT = 500
# So many bodies are held against their schemas.
LOOKED_INTO = 50
MOST_COUNTED = 200_000
# So many places are asked about, and waited for.
PLACES = 4
PLACE_TIMEOUT_S = 2.5


class Preflight(msgspec.Struct, frozen=True):
    """What a retry of a selection would do."""

    # Letters that would be sent, as far as is known: exact up to LOOKED_AT, beyond an upper bound.
    count: int
    # There are even more.
    at_least: bool
    # The oldest letters of the selection that would be sent.
    going: list[DeadLetter]
    # Letters among the oldest that stay as they are.
    refused: list[Refusal]
    destinations: list[Destination]
    findings: list[Finding]
    # What it does, in a sentence.
    sentence: str

    @property
    def warnings(self) -> list[Finding]:
        """What to read before pressing."""
        return [finding for finding in self.findings if finding.level == "warn"]

    @property
    def notes(self) -> list[Finding]:
        """What is good to know."""
        return [finding for finding in self.findings if finding.level == "note"]

    @property
    def is_sample(self) -> bool:
        """Whether only the oldest were looked at one by one."""
        return self.at_least or self.count > len(self.going)


def preflight(selection: Selection, options: Options, *, ask_brokers: bool = True) -> Preflight:
    """Look at what a retry of `selection` would do. Asks the brokers about the places, a short while each."""
    found = list(
        selection.queryset().select_related("source").defer("body", "stack").order_by("pk")[: LOOKED_AT + 1]
    )
    oldest = found[:LOOKED_AT]
    going, refused, routes = _sorted_out(oldest, options)
    count, at_least = len(going), False
    if len(found) > LOOKED_AT:
        count, at_least = _count(selection, options)
    destinations = _destinations(going, routes, ask_brokers)
    facts = _facts(going, destinations, options)
    return Preflight(
        count, at_least, going, refused, destinations, judge(facts), _sentence(going, count, destinations)
    )


def _sorted_out(
    letters: Sequence[DeadLetter], options: Options
) -> tuple[list[DeadLetter], list[Refusal], dict[int, Route]]:
    alive = {
        retry.letter_id: retry
        for retry in Retry.objects.filter(letter__in=[letter.pk for letter in letters], state__in=ALIVE)
    }
    redirects = Redirects.in_force(options.redirect_to)
    going: list[DeadLetter] = []
    refused: list[Refusal] = []
    routes: dict[int, Route] = {}
    for letter in letters:
        try:
            refuse_retry(letter, alive.get(letter.pk))
            routes[letter.pk] = route_of(letter, redirects)
        except (NotNow, NoRoute) as refusal:
            refused.append(Refusal(letter.pk, str(refusal)))
        else:
            going.append(letter)
    return going, refused, routes


def _count(selection: Selection, options: Options) -> tuple[int, bool]:
    found = selection.queryset().filter(status=Status.OPEN)[: MOST_COUNTED + 1].count()
    count = min(found, MOST_COUNTED)
    if options.stop_at is not None and options.stop_at < found:
        return options.stop_at, False
    return count, found > MOST_COUNTED


def _destinations(
    going: Sequence[DeadLetter], routes: dict[int, Route], ask_brokers: bool
) -> list[Destination]:
    letters: Counter[str] = Counter(routes[letter.pk].destination for letter in going)
    examples = {routes[letter.pk].destination: letter for letter in reversed(going)}
    found: list[Destination] = []
    for words, count in letters.most_common():
        letter = examples[words]
        route = routes[letter.pk]
        place, trouble = None, ""
        if ask_brokers and route.publish is None and len(found) < PLACES:
            place, trouble = _ask(route, outgoing(letter, letter.attempts + 1, route))
        found.append(Destination(words, count, place, trouble, route.redirected))
    return found


def _ask(route: Route, message: OutgoingMessage) -> tuple[Place | None, str]:
    """What the broker says of the place; a broker that does not answer holds nobody up."""
    answers: list[tuple[Place | None, str]] = []
    thread = threading.Thread(target=lambda: answers.append(_place_of(route, message)), daemon=True)
    thread.start()
    thread.join(PLACE_TIMEOUT_S)
    return answers[0] if answers else (None, f"the broker has not answered for {PLACE_TIMEOUT_S:g} s.")


def _place_of(route: Route, message: OutgoingMessage) -> tuple[Place | None, str]:
    try:
        adapter = open_adapter(route.source, consumer="eventhub-preflight")
        try:
            return adapter.place_of(message), ""
        finally:
            adapter.close()
    except BrokerError as error:
        return None, str(error)
    finally:
        connections.close_all()  # nobody else closes a thread's connection


def _facts(going: Sequence[DeadLetter], destinations: list[Destination], options: Options) -> Facts:
    ids = [letter.pk for letter in going]
    uncertain = Retry.objects.filter(letter__in=ids, state=RetryState.UNCERTAIN).values("letter").distinct()
    checked, unfit, first = _against_schemas(ids[:LOOKED_INTO])
    return Facts(
        looked_at=len(going),
        destinations=destinations,
        returned=sum(1 for letter in going if letter.returns),
        most_returns=max((letter.returns for letter in going), default=0),
        uncertain=uncertain.count() if ids else 0,
        processed=_processed_since(going),
        checked=checked,
        unfit=unfit,
        first_unfit=first,
        is_ordered=options.in_order,
    )


def _against_schemas(letter_ids: Sequence[int]) -> tuple[int, int, str]:
    """How many of these letters are events, how many break the schema of their type, and how the first one does.

    Of an edited letter the edit is asked: that is what would go out.
    """
    validators = Validators()
    validators.refresh()
    checked = unfit = 0
    first = ""
    edits = in_force(letter_ids)
    for letter in DeadLetter.objects.filter(pk__in=letter_ids).order_by("pk").defer("stack"):
        body, headers = letter.body, letter.headers
        if edit := edits.get(letter.pk):
            body, headers = edit.body, {name.lower(): value for name, value in edit.headers}
        message = Message(bytes(body), letter.topic, letter.offset, letter.origin_key, headers)
        try:
            event = decode(message)
        except Undecodable:
            continue
        checked += 1
        if finding := validators.check(event):
            unfit += 1
            first = first or finding.message.splitlines()[0]
    return checked, unfit, first


def _processed_since(letters: Sequence[DeadLetter]) -> int:
    """How many of these events the service that gave up on them has reported as processed after it did.

    By the traces' index: a receipt belongs to the trace of the event it tells of.
    """
    hurt = [
        letter
        for letter in letters
        if letter.reason == Reason.SERVICE and letter.event_id and letter.correlation_id
    ]
    if not hurt:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT count(DISTINCT letter.id)
            FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
                AS letter (id, event_id, trace, service, failed_at)
            JOIN events_event receipt ON receipt.correlation_id = letter.trace AND receipt.event_type = %s
             AND receipt.occurred_at > letter.failed_at AND receipt.data ->> 'event_id' = letter.event_id
             AND coalesce(receipt.data ->> 'service', receipt.source) = letter.service
            """,
            [
                [letter.pk for letter in hurt],
                [letter.event_id for letter in hurt],
                [letter.correlation_id for letter in hurt],
                [letter.failed_in for letter in hurt],
                [letter.last_failed_at for letter in hurt],
                SUCCEEDED,
            ],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _sentence(going: Sequence[DeadLetter], count: int, destinations: Sequence[Destination]) -> str:
    if not going:
        return "Nothing would be sent."
    where = destinations[0].words if len(destinations) == 1 else f"{len(destinations)} places"
    if count == 1:
        attempt = _attempt_of(going[0])
        if edit := in_force([going[0].pk]).get(going[0].pk):
            return f"Publishes the edit by {edit.made_by} to {where}, as event {edit.event_id}, attempt {attempt}."
        return f"Publishes to {where}, same event id, attempt {attempt}."
    return f"Publishes {count:,} letters to {where}, each with the same event id as before."


def _attempt_of(letter: DeadLetter) -> int:
    last = Retry.objects.filter(letter=letter).aggregate(last=Max("attempt"))["last"] or 0
    return max(letter.attempts, last) + 1
