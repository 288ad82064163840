"""Adding and changing a source: choose the broker, answer what it needs, test, preview, save."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.http import HttpResponseClientRedirect

from eventhub.access.audit import actor_of
from eventhub.brokers.adapter import is_polled
from eventhub.brokers.models import Kind, Role, Source
from eventhub.brokers.trying import Report, cost_of_peeking, try_connection
from eventhub.pages.partials import is_partial
from eventhub.sources import permissions, saving, tested
from eventhub.sources.form import SourceForm
from eventhub.sources.layouts import LAYOUTS
from eventhub.sources.looking import Look, look

# What each button of the form answers with when htmx asks; without it, all answer with the whole page.
PARTIALS = {
    "test": "sources/_test.html",
    "peek": "sources/_mapping_and_preview.html",
    "paste": "sources/_mapping_and_preview.html",
    "preview": "sources/_preview.html",
    "suggest": "sources/_mapping_and_preview.html",
}


@require_safe
def choose(request: HttpRequest) -> HttpResponse:
    """Which broker? Without an adapter for it, a kind is not offered."""
    permissions.require(request)
    kinds = [(Kind(kind), layout) for kind, layout in LAYOUTS.items() if _is_offered(kind)]
    return render(request, "sources/choose.html", {"kinds": kinds})


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def add(request: HttpRequest, kind: str) -> HttpResponse:
    """The form for a new source of a kind."""
    permissions.require(request)
    if kind not in LAYOUTS or not _is_offered(kind):
        raise Http404(f"There is no broker {kind!r}.")
    return _answer(request, SourceForm(kind, None, _sent(request)))


@never_cache
@sensitive_post_parameters()
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """The form for a source that is there."""
    permissions.require(request, name)
    source = get_object_or_404(Source, name=name, kind__in=LAYOUTS)
    return _answer(request, SourceForm(source.kind, source, _sent(request)))


@require_POST
def test(request: HttpRequest, name: str) -> HttpResponse:
    """Try the connection of a source that is there, as it is saved."""
    permissions.require_operator(request, name)
    source = get_object_or_404(Source, name=name, kind__in=LAYOUTS)
    return render(request, "sources/_tested.html", {"report": try_connection(source)})


def _answer(request: HttpRequest, form: SourceForm) -> HttpResponse:
    if request.method != "POST":
        return _page(request, form)
    match request.POST.get("do", "save"):
        case "test":
            return _page(request, form, do="test", report=_test(form))
        case "peek" | "paste" | "preview" | "suggest" as do:
            return _page(request, form, do=do, looked=look(request, form, do))
        case "save-anyway":
            return _save(request, form, anyway=True)
    return _save(request, form, anyway=False)


def _test(form: SourceForm) -> Report | None:
    source = form.draft(to_try=True)
    return try_connection(source) if source else None


def _save(request: HttpRequest, form: SourceForm, *, anyway: bool) -> HttpResponse:
    original = form.original
    source = form.draft()
    if source is None:
        return _page(request, form, do="save", status=422)
    if original is not None and request.POST.get("seen", "") != original.changed_at.isoformat():
        form.errors[""] = (
            "Someone changed this source while you were editing it. Open the form again to see how it stands."
        )
        return _page(request, form, do="save", status=422)
    if not anyway and _wants_a_test(request, original, source):
        report = try_connection(source)
        if not report.ok:
            return _page(request, form, do="save", report=report, status=422)
    changed = saving.save(source, original, actor_of(request))
    messages.success(request, _said(source, original, changed))
    address = reverse("source", args=[source.name])
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponseClientRedirect(address)
    return redirect(address)


def _wants_a_test(request: HttpRequest, original: Source | None, source: Source) -> bool:
    proof = request.POST.get("tested", "")
    return saving.wants_a_test(original, source) and not tested.is_proof(proof, source)


def _said(source: Source, original: Source | None, changed: list[str]) -> str:
    if original is not None and not changed:
        return f"{source.name} stays as it was: nothing was changed."
    if not source.enabled:
        return f"{source.name} is saved and switched off: no worker runs it."
    if not is_polled(source):
        return f"{source.name} is saved. Send events to /api/events?source={source.name}."
    return f"{source.name} is saved. Ingest workers run it within a second."


def _page(
    request: HttpRequest,
    form: SourceForm,
    *,
    do: str = "",
    report: Report | None = None,
    looked: Look | None = None,
    status: int = 200,
) -> HttpResponse:
    template = PARTIALS.get(do, "sources/_form.html") if is_partial(request) else "sources/edit.html"
    return render(request, template, _context(request, form, do, report, looked), status=status)


def _context(
    request: HttpRequest, form: SourceForm, do: str, report: Report | None, looked: Look | None
) -> dict[str, Any]:
    original = form.original
    looked = looked or look(request, form, "preview")
    proof = request.POST.get("tested", "")
    if do == "test" and report is not None and report.ok and (source := form.draft(to_try=True)):
        proof = tested.proof(source)
    is_read_by_workers = form.kind != Kind.HTTP
    return {
        "form": form,
        "original": original,
        "seen": request.POST.get("seen") or (original.changed_at.isoformat() if original else ""),
        "address": request.path,
        "back": reverse("source", args=[original.name]) if original else reverse("sources"),
        "roles": [(role.value, role.label, role == form.role) for role in Role],
        "is_polled": is_read_by_workers,
        "do": do,
        "report": report,
        "tested": proof,
        "looked": looked,
        "lines": looked.lines(form),
        "cost_of_peeking": cost_of_peeking(form.kind),
    }


def _sent(request: HttpRequest) -> Any:
    return request.POST if request.method == "POST" else None


def _is_offered(kind: str) -> bool:
    return kind == Kind.HTTP or is_polled(Source(kind=kind))
