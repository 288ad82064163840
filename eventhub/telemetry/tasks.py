"""A Celery task's lines in the log bear its id and its name, and the request that asked for it."""

from typing import Any

from celery.signals import before_task_publish, task_postrun, task_prerun

from eventhub.telemetry import context

# Headers of our own travel with a task's message beside Celery's.
REQUEST = "eventhub_request_id"


def connect() -> None:
    """Once for each process; the signals tell every task of it."""
    before_task_publish.connect(_send_along, weak=False, dispatch_uid="eventhub.telemetry")
    task_prerun.connect(_begin, weak=False, dispatch_uid="eventhub.telemetry")
    task_postrun.connect(_end, weak=False, dispatch_uid="eventhub.telemetry")


def _send_along(headers: dict[str, Any] | None = None, **kwargs: Any) -> None:
    request = context.current().get("request_id")
    if headers is not None and request:
        headers[REQUEST] = request


def _begin(task_id: str = "", task: Any = None, **kwargs: Any) -> None:
    request = getattr(task, "request", None)
    # A worker makes attributes of a message's headers; a task that is run in place keeps them together.
    asked = getattr(request, REQUEST, None) or (getattr(request, "headers", None) or {}).get(REQUEST)
    context.bind(task_id=task_id, task=getattr(task, "name", None), request_id=asked)


def _end(**kwargs: Any) -> None:
    context.let_go("task_id", "task", "request_id")
