"""Compression of what browsers load: pages and static files.

Not of the API's answers: they would cost the workers that ingest more than the network gains.
"""

import gzip
from collections.abc import Callable
from functools import lru_cache

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.middleware.gzip import GZipMiddleware

Respond = Callable[[HttpRequest], HttpResponseBase]

TEXTS = ("text/", "application/javascript", "image/svg+xml")
SMALLEST_BYTES = 200


def compressed(respond: Respond) -> Respond:
    """Middleware: gzip for who takes it. A static file is compressed once in each process, as small as it gets."""
    pages = GZipMiddleware(lambda request: HttpResponse())

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = respond(request)
        kind = response.headers.get("Content-Type", "")
        if request.path.startswith(settings.STATIC_URL):
            return _static(request, response) if kind.startswith(TEXTS) else response
        if kind.startswith("text/html") and isinstance(response, HttpResponse):
            return pages.process_response(request, response)
        return response

    return middleware


def _static(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if request.method != "GET" or response.status_code != 200 or response.has_header("Content-Encoding"):
        return response
    if "gzip" not in request.headers.get("Accept-Encoding", "") or not isinstance(
        response, StreamingHttpResponse
    ):
        return response
    body = b"".join(response.streaming_content)  # type: ignore[arg-type]  # WhiteNoise answers synchronously
    response.close()
    small = HttpResponse(_gzipped(body), headers=dict(response.headers))
    small.headers["Content-Encoding"] = "gzip"
    small.headers["Content-Length"] = str(len(small.content))
    small.headers["Vary"] = "Accept-Encoding"
    return small


@lru_cache(maxsize=500)
def _gzipped(body: bytes) -> bytes:
    return gzip.compress(body, 9, mtime=0)
