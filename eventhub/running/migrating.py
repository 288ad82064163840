"""Migrations while the release before still runs: what a new one may do, and what it is refused for, in words.

During an update old workers run on the new schema (docs/operations.md, "Updating without a pause"). So a migration only
adds, or makes laxer; what it takes away has been unused for a release, and says so in its attribute ``unused_since``.
And it holds no lock on a big table for longer than a moment.
"""

import re
from collections.abc import Iterator

from django.contrib.postgres.operations import (
    AddConstraintNotValid,
    AddIndexConcurrently,
    RemoveIndexConcurrently,
)
from django.db.migrations import Migration, operations
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import NOT_PROVIDED

# The state that old workers may have been left in: these were applied with everything stopped, and are not judged.
BASELINE = {
    "access": "0005",
    "brokers": "0005",
    "demo": "0002",
    "dlq": "0010",
    "events": "0003",
    "handlers": "0003",
    "monitoring": "0007",
    "outbox": "0003",
    "pages": "0001",
    "review": "0002",
    "rollups": "0002",
    "sagas": "0002",
    "schemas": "0004",
    "sourcing": "0003",
    "traces": "0002",
}
# Tables that grow with the traffic: a statement that reads or rewrites them whole takes minutes.
BIG = {
    "access_auditentry",
    "dlq_deadletter",
    "dlq_retry",
    "events_event",
    "handlers_attempt",
    "handlers_delivery",
    "outbox_inboxentry",
    "outbox_outboxmessage",
    "rollups_rollup",
    "sourcing_stream",
    "traces_attributevalue",
    "traces_hop",
    "traces_instance",
}
_SQL_RULES = (
    (r"\bdrop\s+(?:table|column)\b", "drops something that old workers may use", True),
    (
        r"\brename\s+(?:to|column|constraint)\b",
        "renames something that old workers know by its old name",
        True,
    ),
    (r"\bset\s+not\s+null\b", "forbids NULL, which old workers may write", True),
    (r"\balter\s+(?:column\s+)?\w+\s+(?:set\s+data\s+)?type\b", "changes a column's type", True),
    (r"\block\s+(?:table\s+)?\w+", "locks a table by hand", False),
    (r"\bcluster\b|\bvacuum\s+full\b", "rewrites a table under a lock", False),
)


def is_judged(app: str, name: str) -> bool:
    """Whether the migration is newer than the baseline. One of an app that is not known there is."""
    return app in BASELINE and name[:4] > BASELINE[app]


def objections(migration: Migration, before: ProjectState) -> list[str]:
    """What is wrong with it, a sentence each with what to do instead; `before` is the state that it starts from."""
    state = before.clone()
    found: list[str] = []
    for operation in migration.operations:
        found += _judge(operation, migration, state)
        operation.state_forwards(migration.app_label, state)
    if getattr(migration, "unused_since", ""):
        found = [words for words in found if UNUSED not in words]
    return [f"{migration.app_label}.{migration.name}: {words}" for words in found]


UNUSED = "unused_since"
_SAY_SO = (
    f"Stop using it in one release and take it away in the next, whose migration says {UNUSED} = "
    '"the release since which nothing uses it".'
)


def _judge(operation: Operation, migration: Migration, state: ProjectState) -> Iterator[str]:
    match operation:
        case operations.RemoveField():
            yield f"drops {operation.model_name}.{operation.name}, which old workers still read and write. {_SAY_SO}"
        case operations.DeleteModel():
            yield f"drops the table of {operation.name}, which old workers still use. {_SAY_SO}"
        case operations.RenameField() | operations.RenameModel() | operations.AlterModelTable():
            yield (
                f"renames something ({operation.describe()}): old workers know it by its old name. Add the new one, "
                f"write both, then take the old one away. {_SAY_SO}"
            )
        case operations.AddField():
            yield from _added(operation)
        case operations.AlterField():
            yield from _altered(operation, migration, state)
        case AddIndexConcurrently() | RemoveIndexConcurrently() | AddConstraintNotValid():
            if migration.atomic and not isinstance(operation, AddConstraintNotValid):
                yield f"{operation.describe()}: works outside of a transaction only; set atomic = False."
        case operations.AddIndex():
            if _table(operation.model_name, migration, state) in BIG:
                yield (
                    f"{operation.describe()}: writers would wait until it is built. Use AddIndexConcurrently and "
                    "atomic = False; on events_event build it partition by partition, with RunPython."
                )
        case operations.AddConstraint():
            if _table(operation.model_name, migration, state) in BIG:
                yield (
                    f"{operation.describe()}: writers would wait while every row is checked. Use "
                    "AddConstraintNotValid, and ValidateConstraint in a migration of its own."
                )
        case operations.RunSQL():
            yield from _sql(operation)
        case _:
            return


def _added(operation: operations.AddField) -> Iterator[str]:
    field = operation.field
    if field.many_to_many or field.null or getattr(field, "db_default", NOT_PROVIDED) is not NOT_PROVIDED:
        return
    yield (
        f"adds {operation.model_name}.{operation.name} without NULL: old workers, who do not know it, could insert "
        "nothing any more. Give it db_default=… or null=True."
    )


def _altered(operation: operations.AlterField, migration: Migration, state: ProjectState) -> Iterator[str]:
    before = state.models[migration.app_label, operation.model_name_lower].fields[operation.name]
    after = operation.field
    name = f"{operation.model_name}.{operation.name}"
    if before.null and not after.null:
        yield f"forbids NULL in {name}, which old workers may write. Fill it first. {_SAY_SO}"
    if type(before).__name__ != type(after).__name__:
        yield (
            f"makes {type(after).__name__} of {name}: the table is rewritten under a lock, and old workers write the "
            f"old type. Add another column, write both. {_SAY_SO}"
        )
    elif (after.max_length or 2**31) < (before.max_length or 2**31):
        yield f"shortens {name}: old workers may write longer texts. {_SAY_SO}"
    if after.unique and not before.unique:
        yield f"makes {name} unique: old workers may write it twice, and the index is built under a lock. {_SAY_SO}"


def _sql(operation: operations.RunSQL) -> Iterator[str]:
    for statement in _statements(operation.sql):
        text = re.sub(r"--[^\n]*", " ", statement)
        for pattern, what, may_say_so in _SQL_RULES:
            if re.search(pattern, text, re.IGNORECASE):
                yield f"{what}: {' '.join(text.split())[:120]}. {_SAY_SO if may_say_so else 'Do it without.'}"
        index = re.search(
            r"\bcreate\s+(?:unique\s+)?index\s+(?!concurrently)[^;]*?\bon\s+(?:only\s+)?\"?(\w+)",
            text,
            re.IGNORECASE,
        )
        if index and index[1].lower() in BIG:
            yield (
                f"builds an index on {index[1]} while its writers wait. Say CREATE INDEX CONCURRENTLY, and "
                "atomic = False."
            )
        change = re.search(r"\b(?:update|delete\s+from)\s+(?:only\s+)?\"?(\w+)", text, re.IGNORECASE)
        if change and change[1].lower() in BIG:
            yield (
                f"changes all of {change[1]} in one transaction. Let a task do it in batches, or RunPython with "
                "atomic = False."
            )


def _statements(sql: object) -> Iterator[str]:
    if isinstance(sql, str):
        yield from sql.split(";")
    elif isinstance(sql, list | tuple):
        for one in sql:
            yield from _statements(one[0] if isinstance(one, list | tuple) else one)


def _table(model_name: str, migration: Migration, state: ProjectState) -> str:
    options = state.models[migration.app_label, model_name.lower()].options
    return str(options.get("db_table") or f"{migration.app_label}_{model_name.lower()}")
