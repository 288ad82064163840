"""Retry jobs on the pages: the sheet that asks, the progress it becomes, the jobs and their results."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import msgspec
from django.http import HttpRequest, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from dlq.jobs import controlling, progress, results, starting
from dlq.jobs.options import BadOption, Options, read_options
from dlq.jobs.preflight import preflight
from dlq.jobs.selection import BadSelection, Selection, of_filter, of_letters
from dlq.jobs.table import csv_lines
from dlq.models import Reason, RetryJob
from dlq.permissions import WHY_NOT, may_operate, require_job, require_letters
from dlq.retry import NotNow
from dlq.views.asking import changed, finish, group_filter, letters_in_words, named, ticked
from eventhub.access.audit import actor_of
from eventhub.pages.cursor import BadCursor, decode_cursor, encode_cursor
from eventhub.pages.partials import is_partial

RESULTS_A_PAGE = 100
JOBS_A_PAGE = 50
LOGGED = 12
# More letters than this go carefully unless a person says otherwise.
CAREFUL_BEYOND = 20
# Options of the form that are numbers or words as they stand; empty means the usual.
PLAIN_FIELDS = ("rate_per_s", "cap", "cap_interval_s", "key", "stop_at", "redirect_to", "batch_size")


@require_http_methods(["GET", "POST"])
def retry(request: HttpRequest) -> HttpResponse:
    """GET: the sheet that says where the letters go and what will happen. POST: make a job of it."""
    given = request.GET if request.method == "GET" else request.POST
    try:
        selection = _selection(given)
    except BadSelection as error:
        return HttpResponse(str(error), status=400, content_type="text/plain")
    try:
        options, start_at = _options(given), _start_at(given)
    except BadOption as error:
        return _sheet(request, selection, Options(), str(error), status=422)
    require_letters(request, selection.queryset())
    if request.method == "GET":
        return _sheet(request, selection, options)
    try:
        job = starting.start(
            selection,
            actor_of(request),
            options,
            start_at=start_at,
            request_id=given.get("request_id", "")[:64] or None,
        )
    except starting.NothingToSend as error:
        context = {"title": "Retry", "done": "", "refused": error.refusals, "named": named(error.refusals)}
        return changed(render(request, "dlq/_outcome_sheet.html", context))
    now = progress.of(job)
    if now.tally.sent == now.tally.total == 1 and not job.skipped:
        return finish(f"Sent {letters_in_words(1)}; the outcome is awaited.")
    return changed(render(request, "dlq/_job_sheet.html", _job_context(request, job)))


@require_GET
def jobs(request: HttpRequest) -> HttpResponse:
    """All retry jobs, the newest first."""
    found = RetryJob.objects.order_by("-pk")
    try:
        before = decode_cursor(request.GET["cursor"], tuple[int])[0] if request.GET.get("cursor") else None
    except BadCursor:
        before = None
    if before is not None:
        found = found.filter(pk__lt=before)
    page = list(found[: JOBS_A_PAGE + 1])
    shown = [progress.of(job) for job in page[:JOBS_A_PAGE]]
    more = f"?cursor={encode_cursor(shown[-1].job.pk)}" if len(page) > JOBS_A_PAGE else ""
    context = {
        "jobs": shown,
        "more_url": more,
        "is_moving": any(item.is_moving for item in shown),
        "is_first": before is None,
    }
    template = "dlq/_jobs.html" if is_partial(request) else "dlq/jobs.html"
    return render(request, template, context)


@require_GET
def job(request: HttpRequest, pk: int) -> HttpResponse:
    """One job: its progress, how it was asked for, and the result of each letter."""
    found = get_object_or_404(RetryJob, pk=pk)
    cursor = request.GET.get("cursor", "")
    if cursor or is_partial(request):
        return render(request, "dlq/_job_results.html", _results(found, cursor))
    return render(request, "dlq/job.html", _job_context(request, found) | _results(found))


@require_GET
def job_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The progress of a job, as the sheet and its page ask for it once a second."""
    found = get_object_or_404(RetryJob, pk=pk)
    return render(request, "dlq/_job_progress.html", _job_context(request, found))


@require_POST
def job_control(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Pause, resume or cancel a job."""
    found = get_object_or_404(RetryJob, pk=pk)
    require_job(request, found)
    deeds = {"pause": controlling.pause, "resume": controlling.resume, "cancel": controlling.cancel}
    problem = ""
    try:
        found = deeds[verb](pk, actor_of(request))
    except NotNow as error:
        problem = str(error)
        found.refresh_from_db()
    return changed(
        render(request, "dlq/_job_progress.html", _job_context(request, found) | {"problem": problem})
    )


@require_GET
def job_csv(request: HttpRequest, pk: int) -> StreamingHttpResponse:
    """The result of each letter as CSV."""
    found = get_object_or_404(RetryJob, pk=pk)
    return StreamingHttpResponse(
        csv_lines(found),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="retry-job-{pk}.csv"'},
    )


def _sheet(
    request: HttpRequest, selection: Selection, options: Options, problem: str = "", status: int = 200
) -> HttpResponse:
    look = preflight(selection, options)
    going = look.going
    context = {
        "look": look,
        "problem": problem,
        "asked": request.GET if request.method == "GET" else request.POST,
        "single": going[0] if look.count == 1 and going else None,
        "named": named(look.refused),
        "readers": sorted({letter.failed_in for letter in going if letter.failed_in}),
        "unread": sum(1 for letter in going if letter.reason != Reason.SERVICE),
        "size": sum(letter.size_bytes for letter in going),
        "request_id": uuid4().hex,
        "is_careful": look.count > CAREFUL_BEYOND,
        "letters": selection.letters,
        "filter": "" if selection.filter is None else msgspec.json.encode(selection.filter).decode(),
    }
    return render(request, "dlq/_retry_sheet.html", context, status=status)


def _selection(given: QueryDict) -> Selection:
    wanted = group_filter(given)
    return of_filter(wanted) if wanted else of_letters(ticked(given))


def _options(given: QueryDict) -> Options:
    """Options from the form's fields. Raises BadOption."""
    filled = {name: str(given.get(name, "")).strip() for name in PLAIN_FIELDS}
    fields: dict[str, Any] = {name: text for name, text in filled.items() if text}
    if not fields.keys() & {"cap"}:
        fields.pop("cap_interval_s", None)
    match given.get("how", ""):
        case "canary":
            fields["canary"] = 1
        case "ramp":
            fields["ramp"] = True
    if given.get("in_order"):
        fields["in_order"] = True
    return read_options(fields)


def _start_at(given: QueryDict) -> datetime | None:
    text = given.get("start_at", "").strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise BadOption("The time to begin at should look like 2030-12-31T06:00 (UTC).") from None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return at if at > timezone.now() else None


def _job_context(request: HttpRequest, found: RetryJob) -> dict[str, Any]:
    return {
        "progress": progress.of(found),
        "job": found,
        "failures": results.failures(found, LOGGED),
        "may_operate": may_operate(request.user),
        "why_not": WHY_NOT,
    }


def _results(found: RetryJob, cursor: str = "") -> dict[str, Any]:
    try:
        after = decode_cursor(cursor, tuple[int, int]) if cursor else results.BEGINNING
    except BadCursor:
        after = results.BEGINNING
    rows = results.page(found, RESULTS_A_PAGE + 1, after)
    shown = rows[:RESULTS_A_PAGE]
    more = ""
    if len(rows) > len(shown):
        place = encode_cursor(*results.place_after(shown, after))
        more = f"{reverse('retry-job', args=[found.pk])}?cursor={place}"
    return {"rows": shown, "more_url": more}
