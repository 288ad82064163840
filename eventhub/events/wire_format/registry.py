"""A client of a schema registry: what a schema's id stands for, asked once.

The HTTP API is Confluent's (https://docs.confluent.io/platform/current/schema-registry/develop/api.html), which
Apicurio, Karapace and Redpanda speak too.
"""

from collections.abc import Callable
from time import monotonic
from typing import TypeVar
from urllib.parse import quote, urlsplit
from uuid import UUID

import msgspec
import urllib3

from eventhub.access.outgoing_pool import pool_manager
from eventhub.events.wire_format.schema import Reference, Schema

ACCEPT = "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json;q=0.9, application/json;q=0.5"
TIMEOUT = urllib3.Timeout(connect=3, read=10)
# A registry that answers so is there and will do better presently.
RETRIES = urllib3.Retry(
    total=2,
    backoff_factor=0.2,
    status_forcelist=(429, 500, 502, 503, 504),
    raise_on_status=False,
    respect_retry_after_header=False,  # a worker does not sleep for as long as it is told
)
# An id that is not there may be there when a producer has registered it; until then it is not asked for each message.
MISSING_FOR_S = 30.0
MAX_MISSING = 10_000
MAX_SCHEMA_BYTES = 20_000_000


Listed = TypeVar("Listed")


class RegistryError(Exception):
    """The registry cannot be asked now. It is no fault of a message: reading begins again later."""


class UnknownSchema(LookupError):
    """The registry answers that it has no such schema."""


class _Refusal(msgspec.Struct):
    error_code: int = 0
    message: str = ""


_decode_schema = msgspec.json.Decoder(Schema).decode
_decode_refusal = msgspec.json.Decoder(_Refusal).decode


class Registry:
    """The schemas behind one address. What was found is kept for ever: an id never changes its meaning."""

    def __init__(self, url: str, username: str | None = None, password: str | None = None) -> None:
        self._url = url.rstrip("/")
        parts = urlsplit(self._url)
        # How messages name it: never with a password that somebody wrote into the address.
        self.name = f"{parts.scheme}://{parts.hostname}{f':{parts.port}' if parts.port else ''}{parts.path}"
        self._headers = {"Accept": ACCEPT}
        if username:
            self._headers |= urllib3.make_headers(basic_auth=f"{username}:{password or ''}")
        self._http = pool_manager(timeout=TIMEOUT, retries=RETRIES)
        self._found: dict[str, Schema] = {}
        self._missing: dict[str, float] = {}

    def schema(self, key: int | UUID) -> Schema:
        """The schema with this id or GUID. Raises UnknownSchema, RegistryError."""
        return self._get(f"/schemas/ids/{key}" if isinstance(key, int) else f"/schemas/guids/{key}")

    def version(self, reference: Reference) -> Schema:
        """The schema that `reference` means, deleted or not. Raises UnknownSchema, RegistryError."""
        subject = quote(reference.subject, safe="")
        return self._get(f"/subjects/{subject}/versions/{reference.version}?deleted=true")

    def dependencies(self, schema: Schema) -> dict[str, Schema]:
        """The schemas that `schema` refers to, and those that they refer to, by name; what is used comes first.

        Raises UnknownSchema, RegistryError.
        """
        found: dict[str, Schema] = {}
        begun: set[str] = set()

        def collect(references: tuple[Reference, ...]) -> None:
            for reference in references:
                if reference.name in begun:
                    continue
                begun.add(reference.name)
                used = self.version(reference)
                collect(used.references)
                found[reference.name] = used

        collect(schema.references)
        return found

    def subjects(self) -> list[str]:
        """The names under which schemas are kept. Raises RegistryError."""
        return self._listed("/subjects", list[str])

    def versions(self, subject: str) -> list[int]:
        """The versions of a subject, the oldest first. Raises UnknownSchema, RegistryError."""
        return self._listed(f"/subjects/{quote(subject, safe='')}/versions", list[int])

    def _listed(self, path: str, kind: type[Listed]) -> Listed:
        return self._decoded(self._content(path), msgspec.json.Decoder(kind).decode)

    def _get(self, path: str) -> Schema:
        if found := self._found.get(path):
            return found
        if self._missing.get(path, 0.0) > monotonic():
            raise UnknownSchema(path)
        try:
            self._found[path] = found = self._ask(path)
        except UnknownSchema:
            if len(self._missing) >= MAX_MISSING:
                self._missing.clear()
            self._missing[path] = monotonic() + MISSING_FOR_S
            raise
        return found

    def _ask(self, path: str) -> Schema:
        return self._decoded(self._content(path), _decode_schema)

    def _decoded(self, content: bytes, decode: Callable[[bytes], Listed]) -> Listed:
        try:
            return decode(content)
        except msgspec.DecodeError as error:
            raise RegistryError(
                f"What answers at {self.name} is no schema registry ({error}). Check its address."
            ) from error

    def _content(self, path: str) -> bytes:
        try:
            answer = self._http.request("GET", self._url + path, headers=self._headers)
        except urllib3.exceptions.HTTPError as error:
            raise RegistryError(
                f"The schema registry at {self.name} cannot be reached: {_reason(error)}. Check that it runs, and its "
                "address; reading goes on when it answers."
            ) from error
        if answer.status == 200:
            return answer.data
        refusal = _refusal(answer.data)
        # A registry says 404 with a number of its own; a 404 without is from something that knows no such path.
        if answer.status == 404 and 40400 < refusal.error_code < 40500:
            raise UnknownSchema(path)
        if answer.status in (401, 403):
            raise RegistryError(
                f"The schema registry at {self.name} does not let us in ({answer.status}). Check registry_username and "
                "registry_password, and that they may read schemas."
            )
        raise RegistryError(
            f"The schema registry at {self.name} answers {answer.status} for {path}"
            f"{f': {refusal.message[:300]}' if refusal.message else ''}. Check that it is well, and its address."
        )


def _refusal(content: bytes) -> _Refusal:
    try:
        return _decode_refusal(content)
    except msgspec.DecodeError:
        return _Refusal()


def _reason(error: urllib3.exceptions.HTTPError) -> str:
    """The innermost cause in words: urllib3 wraps it twice."""
    cause: BaseException = getattr(error, "reason", None) or error
    match cause:
        case urllib3.exceptions.NameResolutionError():
            return "its host name is not known"
        case urllib3.exceptions.NewConnectionError():
            pass  # a kind of TimeoutError to urllib3, whatever the reason
        case urllib3.exceptions.TimeoutError():
            return "it does not answer in time"
    inner = cause.__cause__ or cause
    return str(getattr(inner, "strerror", None) or inner)[:300].rstrip(".")
