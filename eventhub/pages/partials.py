"""Whether htmx asks for a part of a page, or a browser for the whole."""

from django.http import HttpRequest


def is_partial(request: HttpRequest) -> bool:
    """Whether a part is asked for: not by a boosted link, nor by the history when it has lost its copy of the page."""
    headers = request.headers
    return (
        headers.get("HX-Request") == "true"
        and "HX-Boosted" not in headers
        and headers.get("HX-History-Restore-Request") != "true"
    )
