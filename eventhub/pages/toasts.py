"""A short message on the page after an htmx request. (After a redirect, use django.contrib.messages.)"""

from typing import Literal, TypeVar

from django.http.response import HttpResponseBase
from django_htmx.http import trigger_client_event

Kind = Literal["success", "warning", "error", "info"]
Response = TypeVar("Response", bound=HttpResponseBase)


def toast(response: Response, text: str, kind: Kind = "success", *, close_sheet: bool = False) -> Response:
    """The response, with a message that the page shows when it arrives; `close_sheet` closes the open sheet too."""
    trigger_client_event(response, "eventhub:toast", {"text": text, "kind": kind})
    if close_sheet:
        trigger_client_event(response, "eventhub:close-sheet", {})
    return response
