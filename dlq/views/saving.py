"""The sheet of saved filters."""

from urllib.parse import urlsplit

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from dlq import saved
from dlq.views.asking import finish
from eventhub.access.audit import actor_of


@require_http_methods(["GET", "POST"])
def filters(request: HttpRequest) -> HttpResponse:
    """GET: the filters there are, and a form to keep the present one. POST: keep it."""
    if request.method == "GET":
        return _sheet(request, urlsplit(request.headers.get("HX-Current-URL", "")).query)
    try:
        found = saved.save(
            _person(request),
            request.POST.get("name", ""),
            request.POST.get("query", ""),
            actor_of(request),
            is_shared=request.POST.get("shared") == "1",
        )
    except saved.CannotSave as error:
        return _sheet(request, request.POST.get("query", ""), str(error), 422)
    return finish(f"Kept as “{found.name}”.")


@require_POST
def forget_filter(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a filter of one's own."""
    saved.forget(_person(request), pk, actor_of(request))
    return _sheet(request, request.POST.get("query", ""))


def _sheet(request: HttpRequest, query: str, error: str = "", status: int = 200) -> HttpResponse:
    context = {"filters": saved.of_person(_person(request)), "query": query, "error": error}
    return render(request, "dlq/_filters_sheet.html", context, status=status)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # the pages ask for a login
    return request.user
