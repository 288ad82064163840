"""A door before an SQS server: everything passes, is counted, and can be answered as only AWS itself would."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

# Operation and request → what to answer instead, as status and JSON; None lets it pass.
Answer = Callable[[str, dict[str, Any]], tuple[int, dict[str, Any]] | None]


class Door:
    """Where the clients go; `answer` is asked before the server."""

    def __init__(self, server_url: str) -> None:
        self.requests: Counter[str] = Counter()
        # The headers of the last request.
        self.headers: dict[str, str] = {}
        self.answer: Answer = lambda operation, request: None
        self._server = urlsplit(server_url)
        door = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
                door.requests[operation] += 1
                door.headers = dict(self.headers.items())
                instead = door.answer(operation, json.loads(body))
                status, raw = (
                    (instead[0], json.dumps(instead[1]).encode()) if instead else door.ask(self, body)
                )
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/x-amz-json-1.0")
                    self.send_header("Content-Length", str(len(raw)))
                    self.end_headers()
                    self.wfile.write(raw)
                except ConnectionError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def ask(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, bytes]:
        connection = HTTPConnection(self._server.hostname or "", self._server.port, timeout=40)
        try:
            headers = {name: value for name, value in handler.headers.items() if name.lower() != "host"}
            connection.request("POST", handler.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    @contextmanager
    def opened(self) -> Iterator["Door"]:
        threading.Thread(target=self._http.serve_forever, daemon=True).start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()


def refusal(code: str, text: str = "as AWS would say", status: int = 400) -> tuple[int, dict[str, Any]]:
    """How AWS refuses in its JSON protocol."""
    return status, {"__type": f"com.amazonaws.sqs#{code}", "message": text}
