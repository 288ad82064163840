"""The pages of sagas."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from eventhub.access.audit import actor_of
from eventhub.handlers.permissions import may_operate
from eventhub.pages.partials import is_partial
from eventhub.pages.toasts import toast
from eventhub.sagas import control, declaring, looking
from eventhub.sagas.models import Instance, State


@require_safe
def sagas(request: HttpRequest) -> HttpResponse:
    """All instances, the newest first."""
    given = {name: request.GET.get(name, "").replace("\x00", "").strip() for name in ("saga", "state", "key")}
    before = request.GET.get("before", "")
    found = looking.instances(
        saga=given["saga"],
        state=given["state"],
        key=given["key"],
        before=int(before) if before.isdecimal() and len(before) < 19 else None,
    )
    return render(
        request,
        "sagas/list.html",
        {
            "instances": [looking.shown(request, one) for one in found],
            "given": given,
            "is_filtered": any(given.values()),
            "names": sorted({name for name, _ in declaring.declared()}),
            "states": State.choices,
            "older": found[-1].pk if len(found) == looking.PER_PAGE else None,
        },
    )


@require_safe
def saga(request: HttpRequest, pk: int) -> HttpResponse:
    """One instance; as a partial, everything on it that changes."""
    return render(
        request, "sagas/_saga.html" if is_partial(request) else "sagas/saga.html", _about(request, pk)
    )


@require_POST
def change(request: HttpRequest, pk: int, verb: str) -> HttpResponse:
    """Retry a step, skip it, or compensate."""
    step, kind = request.POST.get("step", ""), "success"
    said = {
        "retry": f"{step} is tried again.",
        "skip": f"{step} is skipped.",
        "compensate": "It is being undone.",
    }[verb]
    try:
        if verb == "compensate":
            control.compensate(pk, actor_of(request))
        else:
            (control.retry_step if verb == "retry" else control.skip_step)(pk, step, actor_of(request))
    except Instance.DoesNotExist as error:
        raise Http404(f"There is no instance {pk}.") from error
    except control.NotPossible as error:
        kind, said = "warning", str(error)
    if not is_partial(request):
        messages.add_message(request, messages.SUCCESS if kind == "success" else messages.WARNING, said)
        return redirect("saga", pk)
    response = render(request, "sagas/_saga.html", _about(request, pk))
    return toast(response, said, "success" if kind == "success" else "warning")


def _about(request: HttpRequest, pk: int) -> dict[str, Any]:
    found = Instance.objects.filter(pk=pk).first()
    if found is None:
        raise Http404(f"There is no instance {pk}.")
    heard = list(found.heard.order_by("-id")[:50])
    for one in heard:
        one.data = looking.shown_value(request, found, one.data)
    return {
        "look": looking.shown(request, found),
        "history": looking.shown_history(request, found),
        "heard": heard,
        "may_operate": may_operate(request.user),
    }
