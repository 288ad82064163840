"""Making an edited body an event of its own: a new id, caused by the original. All else stays as it was typed."""

from typing import Any

import msgspec

# Fields of an envelope by what tells it: the event's id, and where its cause stands.
NATIVE = ("event_id", "event_type")
CLOUD_EVENT = ("id", "specversion")
# Headers that hold the id of a CloudEvent in binary mode, by how each protocol begins its names.
CLOUD_PREFIXES = ("ce_", "ce-", "cloudevents:", "cloudevents_")
EDIT_OF = "eventhub-edit-of"
CAUSED_BY = "eventhub-caused-by"

Headers = list[tuple[str, str]]
_Object = dict[str, msgspec.Raw]


def stamped_body(body: bytes, event_id: str, caused_by: str | None) -> bytes:
    """The body with its own id and its cause, where it is an envelope that has them; any other body as it is.

    Numbers keep their digits and objects their order: only these two values are written anew.
    """
    try:
        envelope = msgspec.json.decode(body, type=_Object)
    except (ValueError, RecursionError):
        return body
    if all(name in envelope for name in NATIVE):
        envelope["event_id"] = _raw(event_id)
        if caused_by:
            metadata = _object(envelope.get("metadata"))
            metadata["causation_id"] = _raw(caused_by)
            envelope["metadata"] = _raw(metadata)
    elif all(name in envelope for name in CLOUD_EVENT):
        envelope["id"] = _raw(event_id)
        if caused_by:
            envelope["causationid"] = _raw(caused_by)
    else:
        return body
    return msgspec.json.encode(envelope)


def stamped_headers(headers: Headers, letter_id: int, event_id: str, caused_by: str | None) -> Headers:
    """The headers with the new id where they carried one, and which letter this is an edit of."""
    found: Headers = []
    for name, value in headers:
        lower = name.lower()
        prefix = next((one for one in CLOUD_PREFIXES if lower.startswith(one)), "")
        if prefix and lower == f"{prefix}id":
            found.append((name, event_id))
            if caused_by:
                found.append((f"{name[: len(prefix)]}causationid", caused_by))
        elif lower not in (EDIT_OF, CAUSED_BY) and not (prefix and lower == f"{prefix}causationid"):
            found.append((name, value))
    found.append((EDIT_OF, str(letter_id)))
    if caused_by:
        found.append((CAUSED_BY, caused_by))
    return found


def pretty(body: bytes) -> str | None:
    """A JSON body indented, its numbers digit for digit; None when it is no JSON."""
    try:
        return msgspec.json.format(body, indent=2).decode()
    except (ValueError, RecursionError):
        return None


def _object(raw: msgspec.Raw | None) -> _Object:
    if raw is None:
        return {}
    try:
        return msgspec.json.decode(raw, type=_Object)
    except (ValueError, RecursionError):
        return {}


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
