"""The first steps: connect a broker, send a test event, see its trace."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from eventhub.access.audit import actor_of
from eventhub.access.models import Role
from eventhub.access.roles import may, why_not
from eventhub.brokers.adapter import BrokerError
from eventhub.brokers.models import Kind, Source
from eventhub.events.queries import count_of_correlation
from eventhub.ingest.http import Refused
from eventhub.pages import first_steps as progress
from eventhub.pages.partials import is_partial
from eventhub.sources import saving
from eventhub.sources.layouts import LAYOUTS
from eventhub.welcome import greeting

# After this long without the test event, the page says where to look.
OVERDUE_S = 15
BROKERS = (Kind.KAFKA, Kind.RABBITMQ, Kind.SQS, Kind.REDIS, Kind.OUTBOX)


@never_cache
@require_safe
def first_steps(request: HttpRequest) -> HttpResponse:
    """The guide; only its steps while it waits for the test event (htmx)."""
    noted = progress.of(request.user)
    source = greeting.connected()
    # Both events, so that the trace is whole when it is opened.
    is_there = bool(noted.correlation_id) and count_of_correlation(noted.correlation_id, 2) == 2
    waited_s = (timezone.now() - noted.sent_at).total_seconds() if noted.sent_at else 0.0
    address = request.build_absolute_uri("/api/events")
    context = {
        "source": source,
        "noted": noted,
        "is_there": is_there,
        "is_waiting": bool(noted.correlation_id) and not is_there,
        "is_overdue": waited_s > OVERDUE_S,
        "may_connect": may(request, Role.EDITOR),
        "may_send": may(request, Role.OPERATOR),
        "why_not": why_not(Role.EDITOR),
        "kinds": [(kind, LAYOUTS[kind]) for kind in BROKERS if kind in LAYOUTS],
        "stream": greeting.STREAM,
        "is_stream_free": not Source.objects.filter(name=greeting.STREAM).exists(),
        "token_command": "python manage.py token create first-steps --scope ingest",
        "curl_command": f"curl {address} -H 'Authorization: Bearer TOKEN' -H 'Content-Type: application/json' "
        """-d '{"event_type": "hello.said", "data": {"to": "EventHub"}}'""",
    }
    template = "welcome/_steps.html" if is_partial(request) else "welcome/first_steps.html"
    return render(request, template, context)


@require_POST
def connect(request: HttpRequest) -> HttpResponse:
    """Tap a stream of the Redis that EventHub runs on: a broker that everybody has."""
    if not Source.objects.filter(name=greeting.STREAM).exists():
        saving.save(greeting.stream_source(), None, actor_of(request))
        messages.success(request, f"The stream {greeting.STREAM} is tapped. Workers read it within a second.")
    return redirect("first-steps")


@require_POST
def send(request: HttpRequest) -> HttpResponse:
    """Send the test event."""
    correlation_id, events = greeting.greeting(request.user.get_username(), timezone.now())
    try:
        way = greeting.send(events, greeting.connected())
    except BrokerError as error:
        messages.error(request, f"The test event could not be published. {error}")
    except Refused as refused:
        messages.error(request, f"The test event was not taken. {refused.detail}")
    else:
        progress.note_sent(request.user, correlation_id)
        messages.success(request, f"Two events are sent {way}.")
    return redirect("first-steps")


@require_POST
def see(request: HttpRequest) -> HttpResponse:
    """Open the trace of the test event; with a broker connected, that was the last step."""
    noted = progress.of(request.user)
    if not noted.correlation_id:
        return redirect("first-steps")
    progress.note_seen(request.user)
    if greeting.connected() is not None and noted.put_away_at is None:
        progress.put_away(request)
        messages.success(
            request, "Those were the first steps. The help menu has them, should you want them again."
        )
    return redirect("trace", noted.correlation_id)


@require_POST
def put_away(request: HttpRequest) -> HttpResponse:
    """Do not show the guide by itself any more."""
    progress.put_away(request)
    messages.success(request, "Put away. The help menu has the first steps, should you want them again.")
    return redirect("overview")
