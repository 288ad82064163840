"""Messages in wire format, as the tests need them."""

import time
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from eventhub.events.message import Message
from eventhub.events.wire_text import to_text
from tests.services.registry import RegistryServer
from tests.services.schemas import Reference, RegistryError, Schema, Version

BROKER_TIME = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def message(body: bytes, **changed: Any) -> Message:
    return Message(body, "orders", "7", "kafka:orders/0/7", timestamp=BROKER_TIME, **changed)


def framed(schema_id: int, payload: bytes) -> Message:
    """The id in front, as most clients write it."""
    return message(b"\x00" + schema_id.to_bytes(4, "big") + payload)


def framed_by_header(guid: str, payload: bytes, rest: bytes = b"") -> Message:
    """The GUID in a header, as newer clients may."""
    return message(payload, headers={"__value_schema_id": to_text(b"\x01" + UUID(guid).bytes + rest)})


def put(
    registry: RegistryServer, subject: str, text: str, kind: str = "AVRO", *references: tuple[str, str, int]
) -> int:
    """Put a schema into `registry` that it would not take: what is there may be older than its checks. Its id."""
    schema = Schema(text, kind, tuple(Reference(*reference) for reference in references))
    schema_id = len(registry.store.schemas) + 1
    registry.store.schemas[schema_id] = schema
    versions = registry.store.subjects.setdefault(subject, {})
    versions[len(versions) + 1] = Version(subject, len(versions) + 1, schema_id)
    return schema_id


class UnwellRegistry(RegistryServer):
    """A registry that fails, or takes its time, for as long as it is told to."""

    status: int | None = None
    delay_s = 0.0

    def answer(self, method: str, target: str, login: str | None, body: bytes) -> Any:
        time.sleep(self.delay_s)
        if self.status is None:
            return super().answer(method, target, login, body)
        self.requests.append(f"{method} {target}")
        raise RegistryError(self.status * 100 + 1, "broken")
