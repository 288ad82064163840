"""The page that imports schemas: given, looked at, kept as drafts."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from django_htmx.http import HttpResponseClientRedirect

from eventhub.access import audit
from eventhub.access.audit import actor_of
from eventhub.catalogue.importing import Candidate, candidates, gather
from eventhub.pages.partials import is_partial
from eventhub.schemas import importing
from eventhub.schemas.importing import BadImport


@require_http_methods(["GET", "HEAD", "POST"])
def import_schemas(request: HttpRequest) -> HttpResponse:
    """With POST what would become of what was given or, with ``do=keep``, what became of it."""
    if request.method != "POST":
        return render(request, "catalogue/import.html")
    try:
        found = candidates(_given(request))
    except BadImport as error:
        return _answer(request, {"problem": str(error)}, status=422)
    if request.POST.get("do") != "keep":
        return _answer(request, {"candidates": found, "new": len(_usable(found))})
    kept = importing.keep([one.planned.found for one in _usable(found)])
    names = sorted({version.event_type.name for version in kept})
    audit.record(actor_of(request), "import schemas", f"{len(kept)} drafts", types=names[:50])
    what = "1 schema is a draft" if len(kept) == 1 else f"{len(kept)} schemas are drafts"
    messages.success(request, f"{what} now. Publish each on its type's page.")
    address = reverse("event-types")
    return HttpResponseClientRedirect(address) if is_partial(request) else redirect(address)


def _given(request: HttpRequest) -> list[importing.Found]:
    texts = {
        name: request.POST.get(name, "").strip() for name in ("text", "name", "registry", "user", "password")
    }
    return gather(
        texts["text"],
        texts["name"],
        request.FILES.getlist("files"),
        texts["registry"],
        texts["user"],
        texts["password"],
    )


def _usable(found: list[Candidate]) -> list[Candidate]:
    return [one for one in found if not one.planned.flaw and not one.planned.is_known]


def _answer(request: HttpRequest, context: dict[str, object], status: int = 200) -> HttpResponse:
    template = "catalogue/_import.html" if is_partial(request) else "catalogue/import.html"
    return render(request, template, context | {"given": request.POST}, status=status)
