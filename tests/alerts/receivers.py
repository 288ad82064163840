"""Receivers of alerts that are really spoken to: a small SMTP server and an HTTP server, on loopback."""

import email
import email.message
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class _Smtp(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as a client needs to deliver a message."""

    def handle(self) -> None:
        self._say("220 receiver")
        recipients: list[str] = []
        while line := self.rfile.readline():
            words = line.decode().strip()
            match words[:4].upper():
                case "EHLO" | "HELO":
                    self._say("250 receiver")
                case "RCPT":
                    recipients.append(words.partition(":")[2].strip().strip("<>"))
                    self._say("250 ok")
                case "DATA":
                    self._say("354 go on")
                    self._take(recipients)
                    self._say("250 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _take(self, recipients: list[str]) -> None:
        lines = []
        while (line := self.rfile.readline()) not in (b".\r\n", b""):
            lines.append(line[1:] if line.startswith(b"..") else line)
        message = email.message_from_bytes(b"".join(lines), policy=policy.default)
        self.server.mails.append((recipients, message))  # type: ignore[attr-defined]

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class SmtpServer(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Smtp)
        self.mails: list[tuple[list[str], email.message.EmailMessage]] = []
        self.port = self.server_address[1]


class _Http(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        code = self.server.answers.pop(0) if self.server.answers else 204  # type: ignore[attr-defined]
        self.server.posts.append(
            (self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        )  # type: ignore[attr-defined]
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


class HttpReceiver(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Http)
        self.posts: list[tuple[str, dict[str, str], bytes]] = []
        # What it answers next; 204 when nothing is said.
        self.answers: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
