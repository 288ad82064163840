"""Debezium's change events, which are known by their shape: what happened to which row of which table.

https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-change-events-value
"""

from collections.abc import Sequence
from typing import Any

from eventhub.events.mapping.expressions import Proposal

OPERATIONS = frozenset("curdtm")
# With the converter's schema in each message, the change stands in `payload`.
PLACES = ("body", "body.payload")
TYPE = (
    "join('.', [{at}.source.table, {at}.op == 'c' && 'created' || {at}.op == 'u' && 'updated' || "
    "{at}.op == 'd' && 'deleted' || {at}.op == 't' && 'truncated' || 'read'])"
)


def propose(bodies: Sequence[dict[str, Any]]) -> tuple[Proposal, ...]:
    """A mapping for change events, where all of `bodies` are some; else nothing."""
    for at in PLACES:
        changes = [body if at == "body" else body.get("payload") for body in bodies]
        if all(_is_change(change) for change in changes):
            return tuple(
                Proposal(field, expression.format(at=at), 0.95, f"Debezium's change events: {why}.")
                for field, expression, why in (
                    ("event_type", TYPE, "the table and what was done to the row"),
                    ("timestamp", "{at}.source.ts_ms", "when the database committed it"),
                    ("source", "{at}.source.name", "the connector's name for the database"),
                    (
                        "stream",
                        "join('-', [{at}.source.table, to_string(key)])",
                        "the row, by the message's key",
                    ),
                    (
                        "data",
                        "not_null({at}.after, {at}.before)",
                        "the row as it became, or was when it was deleted",
                    ),
                    ("metadata", "{at}.source", "where in the database's log it stands"),
                )
            )
    return ()


def _is_change(change: Any) -> bool:
    if not isinstance(change, dict):
        return False
    source = change.get("source")
    return (
        change.get("op") in OPERATIONS
        and isinstance(source, dict)
        and isinstance(source.get("table"), str)
        and isinstance(source.get("ts_ms"), int)
    )
