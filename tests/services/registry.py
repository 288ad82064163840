"""A schema registry that speaks the HTTP API of Confluent's: a real server on loopback, its memory gone with it.

It registers, looks up, lists and deletes; it does not judge compatibility (its level is NONE, and cannot be set).
"""

import base64
import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, unquote, urlsplit

from tests.services.ports import free_port
from tests.services.schemas import KINDS, Reference, RegistryError, Schema, SchemaStore, Version

CONTENT_TYPE = "application/vnd.schemaregistry.v1+json"
MAX_BODY_BYTES = 16 * 1024 * 1024


class RegistryServer:
    """A registry, with a user and password if it is given them."""

    def __init__(self, *, user: str | None = None, password: str | None = None) -> None:
        self.store = SchemaStore()
        # What was asked, as "GET /schemas/ids/1": who caches asks once.
        self.requests: list[str] = []
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.login = None if user is None else base64.b64encode(f"{user}:{password}".encode()).decode()
        self._server: ThreadingHTTPServer | None = None
        self._one_at_a_time = threading.Lock()

    def start(self) -> Self:
        """Serve, with what it remembers from before."""
        handler = type("Handler", (_Handler,), {"registry": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self) -> None:
        """Refuse connections; what it remembers stays."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def register(
        self, subject: str, schema: str, kind: str = "AVRO", references: Sequence[tuple[str, str, int]] = ()
    ) -> int:
        """Register without a client; the schema's id. A reference is (name, subject, version)."""
        with self._one_at_a_time:
            wanted = Schema(schema, kind, tuple(Reference(*reference) for reference in references))
            return self.store.register(subject, wanted).id

    def answer(self, method: str, target: str, login: str | None, body: bytes) -> Any:
        """What a request is answered. Raises RegistryError."""
        self.requests.append(f"{method} {target}")
        if self.login is not None and login != self.login:
            raise RegistryError(401, "Unauthorized")
        address = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(address.query).items()}
        for known_method, pattern, handle in ROUTES:
            if known_method == method and (match := re.fullmatch(pattern, address.path.rstrip("/") or "/")):
                parts = [unquote(part) for part in match.groups()]
                with self._one_at_a_time:
                    return handle(Asked(self.store, parts, query, body))
        raise RegistryError(404, "HTTP 404 Not Found")


class _Handler(BaseHTTPRequestHandler):
    registry: RegistryServer

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        login = (self.headers.get("Authorization") or "").removeprefix("Basic ")
        status, extra = 200, {}
        try:
            if length > MAX_BODY_BYTES:
                raise RegistryError(413, "Request too large")
            answer = self.registry.answer(self.command, self.path, login, self.rfile.read(length))
        except RegistryError as error:
            status, answer = error.status, {"error_code": error.code, "message": str(error)}
            if status == 401:
                extra = {"WWW-Authenticate": 'Basic realm="registry"'}
        content = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(status)
        for name, value in {
            "Content-Type": CONTENT_TYPE,
            "Content-Length": str(len(content)),
            **extra,
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@dataclass(frozen=True)
class Asked:
    """A request, taken apart."""

    store: SchemaStore
    # What stands in the address where the route has a group.
    parts: list[str]
    query: dict[str, str]
    body: bytes

    def is_set(self, name: str) -> bool:
        """Whether the query says ``name=true``."""
        return self.query.get(name, "").lower() == "true"

    @property
    def schema(self) -> Schema:
        """The schema that was sent."""
        try:
            sent = json.loads(self.body)
            references = tuple(
                Reference(r["name"], r["subject"], r["version"]) for r in sent.get("references") or ()
            )
            return Schema(sent["schema"], sent.get("schemaType") or "AVRO", references)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise RegistryError(42201, f"Invalid schema request: {error}") from error

    @property
    def schema_id(self) -> int:
        """The id in the address."""
        if not self.parts[0].isdigit():
            raise RegistryError(404, "HTTP 404 Not Found")
        return int(self.parts[0])

    def describe(self, schema: Schema) -> dict[str, Any]:
        """A schema in the format that was asked for."""
        serialized = self.query.get("format") == "serialized" and schema.kind == "PROTOBUF"
        text = self.store.serialized(schema) if serialized else schema.text
        described: dict[str, Any] = {"schema": text, "guid": schema.guid}
        if schema.kind != "AVRO":  # which is what is meant where nothing is said
            described["schemaType"] = schema.kind
        if schema.references:
            described["references"] = [vars(reference) for reference in schema.references]
        return described

    def describe_version(self, version: Version) -> dict[str, Any]:
        """A version with its schema."""
        schema = self.describe(self.store.schemas[version.id])
        return {"subject": version.subject, "version": version.version, "id": version.id, **schema}


def _register(asked: Asked) -> Any:
    version = asked.store.register(asked.parts[0], asked.schema)
    return {"id": version.id, "version": version.version, "guid": asked.store.schemas[version.id].guid}


def _look_up(asked: Asked) -> Any:
    return asked.describe_version(asked.store.find(asked.parts[0], asked.schema))


def _subjects(asked: Asked) -> Any:
    deleted, prefix = asked.is_set("deleted"), asked.query.get("subjectPrefix", "")
    return [
        subject
        for subject, versions in sorted(asked.store.subjects.items())
        if subject.startswith(prefix) and any(deleted or not version.deleted for version in versions.values())
    ]


def _versions(asked: Asked) -> Any:
    return [v.version for v in asked.store.versions(asked.parts[0], deleted=asked.is_set("deleted"))]


def _version(asked: Asked) -> Any:
    subject, number = asked.parts
    return asked.describe_version(asked.store.version(subject, number, deleted=asked.is_set("deleted")))


def _delete_subject(asked: Asked) -> Any:
    permanent = asked.is_set("permanent")
    return asked.store.delete(asked.store.versions(asked.parts[0], deleted=permanent), permanent=permanent)


def _delete_version(asked: Asked) -> Any:
    (subject, number), permanent = asked.parts, asked.is_set("permanent")
    return asked.store.delete([asked.store.version(subject, number, deleted=permanent)], permanent=permanent)[
        0
    ]


def _schema_by_guid(asked: Asked) -> Any:
    schema_id, schema = asked.store.by_guid(asked.parts[0])
    return {"id": schema_id, **asked.describe(schema)}


def _uses(asked: Asked) -> Any:
    found = asked.store.uses(asked.schema_id, deleted=asked.is_set("deleted"))
    return [{"subject": version.subject, "version": version.version} for version in found]


def _schema(asked: Asked) -> Any:
    return asked.describe(asked.store.schema(asked.schema_id))


ROUTES: tuple[tuple[str, str, Callable[[Asked], Any]], ...] = (
    ("GET", "/", lambda _: {}),
    ("GET", "/subjects", _subjects),
    ("POST", "/subjects/([^/]+)", _look_up),
    ("DELETE", "/subjects/([^/]+)", _delete_subject),
    ("GET", "/subjects/([^/]+)/versions", _versions),
    ("POST", "/subjects/([^/]+)/versions", _register),
    ("GET", "/subjects/([^/]+)/versions/([^/]+)", _version),
    ("DELETE", "/subjects/([^/]+)/versions/([^/]+)", _delete_version),
    ("GET", "/subjects/([^/]+)/versions/([^/]+)/schema", lambda asked: _version(asked)["schema"]),
    (
        "GET",
        "/subjects/([^/]+)/versions/([^/]+)/referencedby",
        lambda asked: asked.store.referrers(*asked.parts),
    ),
    ("GET", "/schemas/types", lambda _: list(KINDS)),
    ("GET", "/schemas/ids/([^/]+)", _schema),
    ("GET", "/schemas/ids/([^/]+)/schema", lambda asked: _schema(asked)["schema"]),
    ("GET", "/schemas/ids/([^/]+)/subjects", lambda asked: sorted({use["subject"] for use in _uses(asked)})),
    ("GET", "/schemas/ids/([^/]+)/versions", _uses),
    ("GET", "/schemas/guids/([^/]+)", _schema_by_guid),
    ("GET", "/config", lambda _: {"compatibilityLevel": "NONE"}),
    ("GET", "/mode", lambda _: {"mode": "READWRITE"}),
)
