"""The audit log over the REST API: for administrators, and for tokens of the scope `configure`."""

from datetime import UTC, datetime
from typing import Annotated, Any

from django.http import HttpRequest, StreamingHttpResponse
from ninja import Query, Router, Schema
from ninja.errors import HttpError
from pydantic import Field

from eventhub.access import audit, audit_export
from eventhub.access.auth import requires
from eventhub.access.models import Role, Scope
from eventhub.access.roles import require_person
from eventhub.pages.cursor import decode_cursor, encode_cursor

router = Router(tags=["audit"])


class EntryOut(Schema):
    """Who did what to what, and when."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    detail: Any


class EntriesOut(Schema):
    """A page of entries."""

    items: list[EntryOut]
    next_cursor: str | None


class Wanted(Schema):
    """Which entries."""

    actor: Annotated[str, Field(max_length=150)] = ""
    action: Annotated[str, Field(max_length=60)] = ""
    since: datetime | None = None
    until: datetime | None = None


@router.get("/audit", auth=requires(Scope.CONFIGURE), response=EntriesOut, summary="Who did what")
def list_entries(
    request: HttpRequest,
    wanted: Query[Wanted],
    cursor: str = "",
    limit: Annotated[int, Field(ge=1, le=500)] = 100,
) -> dict[str, Any]:
    """The newest first."""
    found = _found(request, wanted)
    if cursor:
        found = found.filter(pk__lt=decode_cursor(cursor, tuple[int])[0])
    rows = list(found[: limit + 1])
    shown = rows[:limit]
    more = encode_cursor(shown[-1].pk) if len(rows) > limit else None
    return {"items": [audit_export.as_row(row) for row in shown], "next_cursor": more}


@router.get(
    "/audit.csv",
    auth=requires(Scope.CONFIGURE),
    summary="Who did what, as CSV",
    openapi_extra={"responses": {200: {"content": {"text/csv": {}}}}},
)
def export_csv(request: HttpRequest, wanted: Query[Wanted]) -> StreamingHttpResponse:
    """Every entry that fits, the newest first. The export is noted, too."""
    found = _found(request, wanted)
    audit.record(audit.actor_of(request), "export", "audit log", format="csv")
    return StreamingHttpResponse(
        audit_export.csv_lines(found),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="eventhub-audit.csv"'},
    )


@router.get(
    "/audit.jsonl",
    auth=requires(Scope.CONFIGURE),
    summary="Who did what, as JSON lines",
    openapi_extra={"responses": {200: {"content": {"application/x-ndjson": {}}}}},
)
def export_json(request: HttpRequest, wanted: Query[Wanted]) -> StreamingHttpResponse:
    """Every entry that fits, the newest first. The export is noted, too."""
    found = _found(request, wanted)
    audit.record(audit.actor_of(request), "export", "audit log", format="jsonl")
    return StreamingHttpResponse(
        audit_export.json_lines(found),
        content_type="application/x-ndjson",
        headers={"Content-Disposition": 'attachment; filename="eventhub-audit.jsonl"'},
    )


def _found(request: HttpRequest, wanted: Wanted) -> Any:
    require_person(request, Role.ADMINISTRATOR)
    told = wanted.dict()
    texts = {name: told[name].replace("\x00", "") for name in ("actor", "action")}
    return audit_export.entries(**texts, since=_utc(told["since"]), until=_utc(told["until"]))


def _utc(at: datetime | None) -> datetime | None:
    """PostgreSQL knows fewer time zones than Python."""
    if at is None:
        return None
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except OverflowError:
        raise HttpError(422, "A time is beyond the years that there are.") from None
