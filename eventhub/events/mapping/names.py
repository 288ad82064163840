"""How the fields of an envelope are called in other people's messages."""

import re
from collections.abc import Callable
from typing import Any

import msgspec

from eventhub.events.times import read_time

_WORDS = re.compile(r"[^a-z0-9]+")
_SHORT_NAME = re.compile(r"[\w.:/\-]{1,120}")
# Objects that hold what belongs to an envelope, rather than the matter itself.
ENVELOPE_PARENTS = frozenset(
    (
        "header",
        "headers",
        "meta",
        "metadata",
        "envelope",
        "event",
        "context",
        "message",
        "properties",
        "attributes",
    )
)


def plain(name: str) -> str:
    """`name` without capitals and separators, so that eventType, event_type and Event-Type are the same."""
    return _WORDS.sub("", name.lower())


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and bool(_SHORT_NAME.fullmatch(value))


def _is_id(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= 200 and "\n" not in value
    return isinstance(value, int) and not isinstance(value, bool)


def _is_version(value: Any) -> bool:
    if isinstance(value, str):
        return 0 < len(value) <= 20 and any(map(str.isdigit, value))
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 10_000


def _is_time(value: Any) -> bool:
    found = read_time(value)
    return found is not None and 2000 <= found.year < 2100


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


class Known(msgspec.Struct, frozen=True):
    """What is known of a field: how it may be called (1.0 is a sure name), and what it must hold."""

    names: dict[str, float]
    holds: Callable[[Any], bool]
    # Whether each message should have its own.
    is_unique: bool = False
    # Whether it may well stand among the matter rather than beside it.
    is_matter: bool = False
    # Whether a broker's headers are worth a look.
    in_headers: bool = True


KNOWN: dict[str, Known] = {
    "event_type": Known(
        {
            "eventtype": 1.0,
            "eventname": 0.95,
            "messagetype": 0.9,
            "msgtype": 0.9,
            "detailtype": 0.9,
            "type": 0.9,
            "event": 0.85,
            "action": 0.7,
            "kind": 0.65,
            "operation": 0.6,
            "name": 0.55,
            "subject": 0.5,
            "op": 0.5,
        },
        _is_name,
    ),
    "event_id": Known(
        {
            "eventid": 1.0,
            "messageid": 0.95,
            "msgid": 0.9,
            "eventuuid": 0.95,
            "uuid": 0.85,
            "guid": 0.8,
            "id": 0.85,
            "idempotencykey": 0.7,
        },
        _is_id,
        is_unique=True,
    ),
    "timestamp": Known(
        {
            "timestamp": 1.0,
            "eventtime": 1.0,
            "eventtimestamp": 1.0,
            "occurredat": 1.0,
            "occurredon": 1.0,
            "occurred": 0.9,
            "createdat": 0.9,
            "createdon": 0.85,
            "created": 0.8,
            "publishedat": 0.8,
            "senttime": 0.8,
            "sentat": 0.8,
            "emittedat": 0.85,
            "time": 0.85,
            "ts": 0.85,
            "tsms": 0.85,
            "datetime": 0.8,
            "date": 0.7,
            "at": 0.6,
            "when": 0.6,
            "updatedat": 0.55,
        },
        _is_time,
    ),
    "event_version": Known(
        {"eventversion": 1.0, "schemaversion": 0.9, "dataversion": 0.9, "version": 0.75, "v": 0.6},
        _is_version,
    ),
    "source": Known(
        {
            "source": 0.9,
            "eventsource": 0.95,
            "producer": 0.95,
            "publisher": 0.95,
            "service": 0.9,
            "servicename": 0.9,
            "origin": 0.7,
            "sender": 0.7,
            "application": 0.75,
            "app": 0.75,
            "appid": 0.7,
            "system": 0.6,
        },
        _is_name,
    ),
    "correlation_id": Known(
        {
            "correlationid": 1.0,
            "correlation": 0.9,
            "traceid": 0.95,
            "conversationid": 0.9,
            "processid": 0.7,
            "sagaid": 0.8,
            "flowid": 0.7,
            "transactionid": 0.6,
            "requestid": 0.6,
            "sessionid": 0.5,
        },
        _is_id,
        is_matter=True,
    ),
    "causation_id": Known(
        {
            "causationid": 1.0,
            "causedby": 0.9,
            "causeid": 0.9,
            "parenteventid": 0.9,
            "parentid": 0.7,
            "initiatorid": 0.7,
            "inreplyto": 0.6,
        },
        _is_id,
    ),
    "stream": Known(
        {"stream": 0.9, "streamid": 1.0, "aggregateid": 1.0, "entityid": 0.9, "subject": 0.6},
        _is_id,
        is_matter=True,
        in_headers=False,
    ),
    "stream_version": Known(
        {
            "streamversion": 1.0,
            "aggregateversion": 1.0,
            "sequencenumber": 0.8,
            "sequence": 0.8,
            "seq": 0.7,
            "revision": 0.7,
        },
        _is_count,
        in_headers=False,
    ),
    "data": Known(
        {
            "data": 1.0,
            "payload": 1.0,
            "eventdata": 1.0,
            "detail": 0.85,
            "content": 0.7,
            "body": 0.8,
            "message": 0.5,
        },
        _is_object,
        in_headers=False,
    ),
    "metadata": Known(
        {"metadata": 0.9, "meta": 0.9, "context": 0.7, "header": 0.7, "headers": 0.7},
        _is_object,
        in_headers=False,
    ),
}
