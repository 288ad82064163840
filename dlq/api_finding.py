"""Finding dead letters and their groups over the REST API, and taking them out of here."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any

from django.contrib.auth.models import User
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import AwareDatetime, Field

from dlq import exporting, listing
from dlq.api import Letter
from dlq.attributes import BadAttribute, read_attribute
from dlq.filter import Filter, GroupState
from dlq.listing import GroupRow
from dlq.models import DeadLetter, Reason, Status
from eventhub.access import audit, seen
from eventhub.access.audit import actor_of
from eventhub.access.auth import requires
from eventhub.access.models import Scope
from eventhub.pages.cursor import decode_cursor, encode_cursor
from eventhub.schemas.personal.showing import body_shown_to

router = Router(tags=["dead letters"])


class Group(Schema):
    """Letters that died of the same thing."""

    id: int
    title: str
    reason: Reason
    source: str
    event_type: str
    failed_in: str
    error_class: str
    first_seen_at: datetime
    last_failed_at: datetime | None
    letters: int
    open: int
    failures: int
    assignee: str | None
    snoozed_until: datetime | None
    snoozed_until_failures: int | None
    is_snoozed: bool
    fixed_at: datetime | None
    fixed_in: str
    regressed_at: datetime | None


class Letters(Schema):
    """A page of letters, the newest first."""

    items: list[Letter]
    next_cursor: str | None


class Groups(Schema):
    """A page of groups, the one with most open letters first."""

    items: list[Group]
    next_cursor: str | None


Limit = Annotated[int, Field(ge=1, le=500)]


class LetterFilter(Schema):
    """Which letters. `attribute` is a value of the payload: ``data.order_id = 8412``."""

    status: Status | None = None
    reason: Reason | None = None
    event_type: str = ""
    source: str = ""
    correlation_id: str = ""
    group: int | None = None
    q: str = ""
    topic: str = ""
    failed_in: str = ""
    error_class: str = ""
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    attribute: str = ""

    def filter(self) -> Filter:
        """As the listing takes it. Raises HttpError for an attribute that is none."""
        if self.attribute:
            try:
                read_attribute(self.attribute)
            except BadAttribute as error:
                raise HttpError(422, str(error)) from error
        return Filter(
            status=self.status or "",
            reason=self.reason or "",
            event_type=_clean(self.event_type),
            source=_clean(self.source),
            correlation_id=_clean(self.correlation_id),
            group=self.group,
            q=_clean(self.q).strip(),
            topic=_clean(self.topic),
            failed_in=_clean(self.failed_in),
            error_class=_clean(self.error_class),
            since=self.since,
            until=self.until,
            attribute=_clean(self.attribute),
        )


@router.get("/dead-letters", auth=requires(Scope.READ), response=Letters, summary="List dead letters")
def list_letters(
    request: HttpRequest, wanted: Query[LetterFilter], cursor: str = "", limit: Limit = 50
) -> dict[str, Any]:
    """Dead letters, the newest first. Without `status`, of every status."""
    before_id = decode_cursor(cursor, tuple[int])[0] if cursor else None
    found = listing.letters(wanted.filter(), limit + 1, before_id)
    page = found[:limit]
    return {"items": page, "next_cursor": encode_cursor(page[-1].pk) if len(found) > limit else None}


@router.get(
    "/dead-letters.csv",
    auth=requires(Scope.READ),
    summary="Export as CSV",
    openapi_extra={"responses": {200: {"content": {"text/csv": {}}}}},
)
def export_csv(request: HttpRequest, wanted: Query[LetterFilter]) -> StreamingHttpResponse:
    """Every letter that fits, a line each, without bodies."""
    return _export(request, wanted, "csv", "text/csv; charset=utf-8", exporting.csv_lines(wanted.filter()))


@router.get(
    "/dead-letters.jsonl",
    auth=requires(Scope.READ),
    summary="Export as JSON lines",
    openapi_extra={"responses": {200: {"content": {"application/x-ndjson": {}}}}},
)
def export_json(request: HttpRequest, wanted: Query[LetterFilter]) -> StreamingHttpResponse:
    """Every letter that fits, a JSON object each, with its body."""
    return _export(
        request,
        wanted,
        "jsonl",
        "application/x-ndjson",
        _noted(request, exporting.json_lines(wanted.filter(), _show(request))),
    )


def _noted(request: HttpRequest, lines: Iterator[str]) -> Iterator[str]:
    """The lines; what was seen in them is known when the last has gone."""
    yield from lines
    seen.write(request)


def _show(request: HttpRequest) -> Callable[[DeadLetter], bytes]:
    return lambda letter: body_shown_to(
        request, letter.event_type, bytes(letter.body), f"dead letter {letter.pk}"
    )


def _export(
    request: HttpRequest, wanted: LetterFilter, kind: str, content_type: str, lines: Iterator[str]
) -> StreamingHttpResponse:
    audit.record(actor_of(request), "export", "dead letters", format=kind, **wanted.dict(exclude_unset=True))
    return StreamingHttpResponse(
        lines,
        content_type=content_type,
        headers={"Content-Disposition": f'attachment; filename="dead-letters.{kind}"'},
    )


@router.get("/dead-letter-groups", auth=requires(Scope.READ), response=Groups, summary="List groups")
def list_groups(
    request: HttpRequest,
    status: Status | None = None,
    reason: Reason | None = None,
    event_type: str = "",
    source: str = "",
    state: GroupState = GroupState.ANY,
    cursor: str = "",
    limit: Limit = 50,
) -> dict[str, Any]:
    """Groups of dead letters that died of the same thing, the one with most open letters first."""
    after = decode_cursor(cursor, tuple[int, int]) if cursor else None
    wanted = Filter(
        status=status or "",
        reason=reason or "",
        event_type=_clean(event_type),
        source=_clean(source),
        state=state.value,
        assignee=request.user.pk if isinstance(request.user, User) else None,
    )
    found: list[GroupRow] = listing.groups(wanted, limit + 1, after)
    page = found[:limit]
    return {"items": page, "next_cursor": encode_cursor(*page[-1].place) if len(found) > limit else None}


def _clean(text: str) -> str:
    return text.replace("\x00", "")
