"""Lanes: which queues and topics the letters of a group came by and are for. Whoever writes letters, or puts them into
other groups, notes their lanes in the same transaction.
"""

from collections.abc import Iterable, Sequence

from django.db import connection

# The key of a lane, as PostgreSQL makes it for each letter (`dlq.models.letters`).
_KEY = (
    "hashtextextended(group_id::text || '/' || source_id::text || '/' || length(topic)::text || '/'"
    " || topic || '/' || read_from, 0)"
)


def add(source_id: int, lanes: Iterable[tuple[int, str, str]]) -> None:
    """Note lanes of a source that may be new, each by its group, topic, and the queue that it is read from."""
    wanted = sorted(set(lanes))  # in one order everywhere, as groups are made
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            INSERT INTO dlq_lane (key, group_id, source_id, topic, read_from)
            SELECT {_KEY}, group_id, source_id, topic, read_from FROM (
                SELECT %s::bigint AS source_id, lane.*
                FROM unnest(%s::bigint[], %s::text[], %s::text[]) AS lane (group_id, topic, read_from)
            ) lane ON CONFLICT (key) DO NOTHING
            """,  # noqa: S608 - a constant of this module
            [source_id, *(list(column) for column in zip(*wanted, strict=True))],
        )


def follow(letter_ids: Sequence[int]) -> None:
    """Note the lanes that these letters are in since they changed their group."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO dlq_lane (key, group_id, source_id, topic, read_from)
            SELECT DISTINCT lane, group_id, source_id, topic, read_from FROM dlq_deadletter
            WHERE id = ANY(%s::bigint[]) ORDER BY lane ON CONFLICT (key) DO NOTHING
            """,
            [list(letter_ids)],
        )
