"""Reading dead letters: the list with its groups, one letter, its body."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import BinaryField, F, Func, Prefetch, Value
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from dlq import counts, history, listing, stack
from dlq.body import MAX_JSON_BYTES, Body, look_at
from dlq.edits.drafting import Problems, against_schema
from dlq.edits.message import in_force
from dlq.exporting import query_of
from dlq.filter import Filter
from dlq.listing import GroupRow
from dlq.models import DeadLetter, Edit, EditState, Reason, Retry, Status
from dlq.newest import Newest, search_of
from dlq.permissions import WHY_NOT, may_operate, within
from dlq.reading import event_of
from dlq.retry import NotNow, is_silent, refuse_retry
from dlq.routes import NoRoute, route_of
from dlq.searching import Search
from dlq.views.editing import edits_of
from dlq.views.filters import bar_of, filter_of
from dlq.views.triaging import regrouped
from eventhub.events.envelope import Event
from eventhub.events.queries import StoredEvent, events_by_correlation
from eventhub.pages.cursor import BadCursor, decode_cursor, encode_cursor
from eventhub.pages.partials import is_partial
from eventhub.schemas.personal.showing import body_shown_to, is_hidden

LETTERS_A_PAGE = 50
GROUPS_A_PAGE = 30
SPARK_HOURS = 24
OTHERS_OF_THE_TRACE = 20
TRACE_EXCERPT = 6
SIMILAR = 6
_AT_BYTE = re.compile(r"\(byte (\d{1,9})\)")


@require_GET
def letters(request: HttpRequest) -> HttpResponse:
    """Groups on the left, the chosen group's letters on the right."""
    bar = bar_of(request)
    wanted = filter_of(bar.values, user_id=request.user.pk)
    if cursor := request.GET.get("groups_after"):
        return render(request, "dlq/_groups.html", _groups(request, wanted, cursor) | {"is_more": True})
    if cursor := request.GET.get("cursor"):
        chosen = filter_of(bar.values, _group_asked(request))
        return render(request, "dlq/_letters.html", _letters(request, chosen, cursor))
    search = search_of(wanted)
    context: dict[str, Any] = {
        "bar": bar,
        "totals": counts.open_letters(),
        "edits_waiting": Edit.objects.filter(state=EditState.WAITING).count(),
    } | _groups(request, wanted, search=search)
    shown: list[GroupRow] = context["groups"]
    asked = _group_asked(request)
    is_flat = request.GET.get("group") == "all"
    if asked is None and not is_flat and shown:
        asked = shown[0].id
    group = next((row for row in shown if row.id == asked), None)
    if asked and group is None:
        # Nothing in it fits the filter any more: say so there, rather than jump to another group.
        group = next(iter(listing.groups(Filter(group=asked), 1)), None)
    context |= {"group": group, "is_flat": is_flat, "is_implied": "group" not in request.GET}
    if group or is_flat:
        # All letters are looked for as the groups were; of one group, more of its own letters are.
        chosen = filter_of(bar.values, None if is_flat else asked)
        context |= _letters(request, chosen, search=search if is_flat else None)
        context["export_query"] = query_of(chosen)
    if group:
        context |= _story(group) | regrouped(group.id)
    context["acts_on_open"] = wanted.status in ("", Status.OPEN)
    context["acts_on_closed"] = wanted.status in (Status.DISCARDED, Status.RESOLVED)
    context |= _rights(request)
    template = "dlq/_list.html" if is_partial(request) else "dlq/list.html"
    return render(request, template, context)


@require_GET
def news(request: HttpRequest) -> HttpResponse:
    """How many letters came since the page was made: the bar behind which they gather."""
    wanted = filter_of(bar_of(request).values, _group_asked(request))
    after, since = request.GET.get("after", ""), _time(request.GET.get("since", ""))
    count = 0
    if re.fullmatch(r"[0-9]{1,18}", after):
        count = listing.count_newer(wanted, int(after), since)
    watched = [int(pk) for pk in request.GET.getlist("watch") if re.fullmatch(r"[0-9]{1,18}", pk)]
    context = {
        "count": count,
        "at_least": count >= listing.MOST_NEWS,
        "rows": _rows(DeadLetter.objects.filter(pk__in=watched[:LETTERS_A_PAGE]).select_related("source")),
        "is_flat": wanted.group is None,
    }
    return render(request, "dlq/_news.html", context | _sent(wanted.group) | _rights(request))


@require_GET
def letter(request: HttpRequest, pk: int) -> HttpResponse:
    """One letter with everything that is known of it."""
    found = get_object_or_404(
        DeadLetter.objects.select_related("source", "group")
        .defer("body")
        .prefetch_related("past_failures", Prefetch("retries", Retry.objects.order_by("pk"))),
        pk=pk,
    )
    retries: list[Retry] = list(found.retries.all())
    latest = retries[-1] if retries else None
    context = {
        "letter": found,
        "standing": history.standing(found, latest),
        "sentence": history.what_happened(found),
        "steps": history.steps(found, retries, list(found.past_failures.all())),
        "stack": list(stack.lines(found.stack)),
        "others": _others(found),
        "headers": sorted(found.headers.items()),
        "why_no_retry": _why_no_retry(found, latest),
        "will_go": _will_go(found),
        "may_be_read": found.reason != Reason.SERVICE and found.status == Status.OPEN,
        "reads_as": _reads_as(found),
        "schema_says": _schema_says(request, found),
        "similar": _similar(found),
        "trace_events": _trace(found),
        **edits_of(found, hidden=is_hidden(request, found.event_type)),
        "is_silent": found.status == Status.SENT and is_silent(found),
    }
    if is_partial(request) and request.headers.get("HX-Target") == "letter":
        return render(request, "dlq/_letter.html", context | _rights(request, found) | {"oob": True})
    return render(
        request, "dlq/letter.html", context | _rights(request, found) | {"body": _body(request, found, "")}
    )


@require_GET
def body(request: HttpRequest, pk: int) -> HttpResponse:
    """The body in another view."""
    found = get_object_or_404(DeadLetter.objects.defer("body", "stack"), pk=pk)
    view = request.GET.get("view", "")
    return render(request, "dlq/_body.html", {"letter": found, "body": _body(request, found, view)})


@require_GET
def raw(request: HttpRequest, pk: int) -> HttpResponse:
    """The body, byte for byte, as a download."""
    found = get_object_or_404(DeadLetter.objects.only("body", "event_type"), pk=pk)
    return HttpResponse(
        body_shown_to(request, found.event_type, bytes(found.body), f"dead letter {pk}"),
        content_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="dead-letter-{pk}"',
            "X-Content-Type-Options": "nosniff",
        },
    )


def _groups(
    request: HttpRequest, wanted: Filter, cursor: str = "", search: Search | None = None
) -> dict[str, Any]:
    after = _place(cursor, 2) if cursor else None
    found = listing.groups(wanted, GROUPS_A_PAGE + 1, after, search=search)
    shown = found[:GROUPS_A_PAGE]
    ids = [row.id for row in shown]
    failures = counts.failures_by_hour(ids, SPARK_HOURS)
    hurt = listing.traces_hurt(ids)
    for_cards = [
        {
            "row": row,
            "spark": bars(failures[row.id]),
            "today": sum(failures[row.id]),
            "traces": hurt.get(row.id),
        }
        for row in shown
    ]
    more = _address(request, groups_after=encode_cursor(*shown[-1].place)) if len(found) > len(shown) else ""
    base = _address(request, group=None)
    return {
        "groups": shown,
        "cards": for_cards,
        "more_groups_url": more,
        "group_url": f"{base}{'&' if '?' in base else '?'}group=",
        "chosen_id": _group_asked(request),
    }


def _letters(
    request: HttpRequest, wanted: Filter, cursor: str = "", search: Search | None = None
) -> dict[str, Any]:
    before = _place(cursor, 1)[0] if cursor else None
    found = listing.letters(wanted, LETTERS_A_PAGE + 1, before, search=search)
    page = found[:LETTERS_A_PAGE]
    more = _address(request, cursor=encode_cursor(page[-1].pk)) if len(found) > len(page) else ""
    return {
        "rows": _rows(page),
        "more_letters_url": more,
        "newest_id": page[0].pk if page else 0,
        "now": timezone.now(),
        "is_flat": wanted.group is None,
        **_sent(wanted.group),
        **_rights(request),
    }


def _rows(page: Iterable[DeadLetter]) -> list[dict[str, Any]]:
    """Letters with where each stands."""
    shown = list(page)
    retries = Retry.objects.filter(letter__in=[item.pk for item in shown]).order_by("letter_id", "pk")
    latest = {retry.letter_id: retry for retry in retries}
    return [{"letter": item, "standing": history.standing(item, latest.get(item.pk))} for item in shown]


def _sent(group: int | None) -> dict[str, Any]:
    """How many letters await the outcome of their retry."""
    return {"sent_count": listing.count_sent(group), "group_id": group}


def _story(group: GroupRow) -> dict[str, Any]:
    """What happened in a group, told by its newest letter."""
    newest = Newest(Filter(group=group.id)).ids(1)
    example = (
        DeadLetter.objects.filter(pk__in=newest).select_related("source").defer("body", "attributes").first()
    )
    if example is None:
        return {}
    return {
        "example": example,
        "stack": list(stack.lines(example.stack)),
        "frame": stack.top_frame(example.stack),
    }


def _similar(letter: DeadLetter) -> list[DeadLetter]:
    """The newest others of its group."""
    same = listing.matching(Filter(group=letter.group_id, status=Status.OPEN.value)).exclude(pk=letter.pk)
    return list(same.only("pk", "correlation_id", "status", "last_failed_at").order_by("-pk")[:SIMILAR])


def _trace(letter: DeadLetter) -> list[StoredEvent]:
    """The last events of its trace, as far as they are stored."""
    if not letter.correlation_id:
        return []
    found = events_by_correlation(letter.correlation_id, OTHERS_OF_THE_TRACE)
    return sorted(found, key=lambda event: event.occurred_at)[-TRACE_EXCERPT:]


def _will_go(letter: DeadLetter) -> str:
    """What a retry will do, in words that follow "A retry"; empty when it cannot be sent."""
    if letter.status in (Status.RESOLVED, Status.DISCARDED):
        return ""
    try:
        route = route_of(letter)
    except NoRoute:
        return ""
    edit = in_force([letter.pk]).get(letter.pk)
    what = f"publishes its edit, event {edit.event_id[:8]}…," if edit else "publishes it, byte for byte,"
    same = "" if edit or not letter.event_id else ", same event id"
    elsewhere = f" ({route.redirected})" if route.redirected else ""
    return f"{what} to {route.destination}{elsewhere}{same}, attempt {letter.attempts + 1}."


def _reads_as(letter: DeadLetter) -> Event | None:
    """What an open letter that could not be read is to its source now; None when it is still not to be read."""
    if (
        letter.reason != Reason.UNDECODABLE
        or letter.status != Status.OPEN
        or letter.size_bytes > MAX_JSON_BYTES
    ):
        return None
    return event_of(letter)


def _schema_says(request: HttpRequest, letter: DeadLetter) -> Problems | None:
    """What today's schema says of the event in it; None when there is none, or not for this person to see."""
    if (
        letter.event_type is None
        or letter.size_bytes > MAX_JSON_BYTES
        or is_hidden(request, letter.event_type)
    ):
        return None
    event = event_of(letter)
    return against_schema(event) if event else None


def _others(letter: DeadLetter) -> list[DeadLetter]:
    if not letter.correlation_id:
        return []
    same = DeadLetter.objects.filter(correlation_id=letter.correlation_id).exclude(pk=letter.pk)
    return list(same.defer("body", "headers", "stack").order_by("-pk")[:OTHERS_OF_THE_TRACE])


def _body(request: HttpRequest, letter: DeadLetter, view: str) -> Body:
    """Only the beginning of a large body leaves the database."""
    beginning = (
        DeadLetter.objects.filter(pk=letter.pk)
        .values_list(
            Func(
                F("body"), Value(1), Value(MAX_JSON_BYTES), function="substring", output_field=BinaryField()
            ),
            flat=True,
        )
        .get()
    )
    stopped = _AT_BYTE.search(letter.error_message)
    shown = body_shown_to(request, letter.event_type, bytes(beginning), f"dead letter {letter.pk}")
    return look_at(shown, letter.size_bytes, view, int(stopped[1]) if stopped else None)


def _why_no_retry(letter: DeadLetter, latest: Retry | None) -> str:
    alive = latest if latest and latest.state in ("claimed", "published") else None
    try:
        refuse_retry(letter, alive)
        route_of(letter)
    except (NotNow, NoRoute) as refusal:
        return str(refusal)
    return ""


def _rights(request: HttpRequest, letter: DeadLetter | None = None) -> dict[str, Any]:
    may = may_operate(request) if letter is None else within(request, letter)
    return {"may_operate": may, "why_not": WHY_NOT}


def _group_asked(request: HttpRequest) -> int | None:
    asked = request.GET.get("group", "")
    return int(asked) if re.fullmatch(r"[0-9]{1,18}", asked) else None


def _time(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else None


def _place(cursor: str, length: int) -> Sequence[int]:
    """The key in a cursor; an old or foreign one begins at the beginning."""
    try:
        found = decode_cursor(cursor, list[int])
    except BadCursor:
        found = []
    return found if len(found) == length else [2**62] * length


def _address(request: HttpRequest, **changed: str | None) -> str:
    """This page's address with some parameters changed, and without the place in its lists."""
    query = request.GET.copy()
    for name in ("cursor", "groups_after", "after", *changed):
        query.pop(name, None)
    for name, value in changed.items():
        if value is not None:
            query[name] = value
    text = query.urlencode()
    return f"{reverse('dead-letters')}?{text}" if text else reverse("dead-letters")


def bars(values: Sequence[int]) -> str:
    """A sparkline as the path of an SVG, one column of four units an hour, twenty high; its square root, so that
    one failure beside a thousand is still seen."""
    highest = max(values, default=0) or 1
    columns = []
    for i, value in enumerate(values):
        height = max(1.5, round(20 * (value / highest) ** 0.5, 1)) if value else 0.6
        columns.append(f"M{i * 4} 20v-{height}h3v{height}z")
    return "".join(columns)
