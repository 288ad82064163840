"""HTTP to addresses that people name: by `eventhub.access.outgoing`, and without following redirects."""

import http.client
import ssl
from typing import Any
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
)

from eventhub.access import outgoing


class _Connection(http.client.HTTPConnection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._create_connection = outgoing.connect  # where http.client itself lets one step in


class _SecureConnection(http.client.HTTPSConnection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._create_connection = outgoing.connect  # the certificate is still held against the host's name


class _Http(HTTPHandler):
    def http_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_Connection, req)


class _Https(HTTPSHandler):
    def https_open(self, req: Request) -> http.client.HTTPResponse:
        return self.do_open(_SecureConnection, req, context=self._context)  # type: ignore[attr-defined]


class _NoRedirects(HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return


def opener(context: ssl.SSLContext | None = None) -> OpenerDirector:
    """Opens ``http://`` and ``https://`` and nothing else, no files, no proxies; a redirect is an HTTPError."""
    made = OpenerDirector()
    for handler in (
        _Http(),
        _Https(context=context),
        _NoRedirects(),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
    ):
        made.add_handler(handler)
    return made
