"""Finding letters and groups by words and by values of the payload, at a bounded cost whatever has piled up."""
# ruff: noqa: S608 - every name in a statement is written in this module, values are parameters

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from django.db import connection

from dlq.attributes import BadAttribute, read_attribute
from dlq.models import Status
from eventhub.brokers.models import Source

# Words are looked for in this many of the newest letters of a status.
SEARCHED_LETTERS = 20_000
SEARCHED_OF_GROUP = 2_000
# Values have an index; what is rarer than one in twenty of these is found by that.
SEARCHED_FOR_VALUE = 10_000
MAX_FOUND = 2_000
# So many letters with a value among the newest are enough for a page.
ENOUGH_FOUND = 500
ALL_STATUSES = [status.value for status in Status]


class Search:
    """What one request looks for, looked up once however many lists show it."""

    def __init__(
        self, words: str = "", attribute: str = "", status: str = "", group: int | None = None
    ) -> None:
        self._words, self._attribute, self._status, self._group = words, attribute, status, group

    @cached_property
    def groups_by_words(self) -> list[int]:
        """Groups with these words in their title, names, or the stack of their first letter."""
        return _first_column(
            """
            SELECT id FROM dlq_deadlettergroup
            WHERE concat_ws(E'\n', title, event_type, failed_in, error_class, example_stack) ILIKE %(words)s
            ORDER BY id DESC LIMIT %(limit)s
            """,
            words=_like(self._words),
            limit=MAX_FOUND,
        )

    @cached_property
    def by_words(self) -> list[int]:
        """Letters with the words in their message or ids: by index where it is a whole id, else in the newest ones."""
        number = self._words.lstrip("#")
        return _first_column(
            f"""
            (SELECT id FROM dlq_deadletter WHERE event_id = %(exact)s LIMIT %(limit)s)
            UNION (SELECT id FROM dlq_deadletter WHERE correlation_id = %(exact)s LIMIT %(limit)s)
            UNION (SELECT id FROM dlq_deadletter WHERE id = %(number)s)
            {" ".join(f"UNION ({window})" for window in self._in_newest(_HAS_WORDS, SEARCHED_LETTERS))}
            """,
            exact=self._words,
            number=int(number) if re.fullmatch(r"[0-9]{1,18}", number) else None,
            words=_like(self._words),
            status=self._status,
            group=self._group,
            limit=MAX_FOUND,
        )

    @cached_property
    def with_attribute(self) -> list[int]:
        """The newest letters with this value in their payload, at most `MAX_FOUND`; none when it asks for no value.

        What many letters have is found among the newest; what few have, by the index dead_letter_attributes.
        """
        try:
            digests = read_attribute(self._attribute).digests
        except BadAttribute:
            return []
        values = {"digests": digests, "status": self._status, "group": self._group, "limit": MAX_FOUND}
        newest = _first_column(
            " UNION ".join(f"({one})" for one in self._in_newest(_HAS_VALUE, SEARCHED_FOR_VALUE)), **values
        )
        if len(newest) >= ENOUGH_FOUND:
            return newest
        # An aggregate over all of them, for with a LIMIT the planner walks the table in the hope of an early end.
        return _first_column(
            """
            SELECT unnest((array_agg(id ORDER BY id DESC))[1:%(limit)s]) FROM dlq_deadletter
            WHERE attributes && %(digests)s::bigint[] AND (%(status)s = '' OR status = %(status)s)
              AND (%(group)s::bigint IS NULL OR group_id = %(group)s)
            """,
            **values,
        )

    def _in_newest(self, condition: str, searched: int) -> Iterator[str]:
        """Statements for what fits among the newest letters, and among those of the group.

        Indexes dead_letter_status and dead_letter_group; a group's letters lie far apart, so fewer of them are read.
        """
        of_status = "status BETWEEN %(status)s AND %(status)s" if self._status else "true"
        order = "status, id DESC" if self._status else "id DESC"
        yield f"""
            SELECT id FROM (
                SELECT * FROM dlq_deadletter WHERE {of_status} ORDER BY {order} LIMIT {searched}
            ) newest WHERE {condition} LIMIT %(limit)s
            """
        if self._group is None:
            return
        for status in [self._status] if self._status else ALL_STATUSES:
            yield f"""
                SELECT id FROM (
                    SELECT * FROM dlq_deadletter
                    WHERE group_id BETWEEN %(group)s AND %(group)s AND status BETWEEN '{status}' AND '{status}'
                    ORDER BY group_id, status, id DESC LIMIT {SEARCHED_OF_GROUP}
                ) newest WHERE {condition}
                """


# One text, for each ILIKE makes all of it small first.
_HAS_WORDS = "concat_ws(E'\n', error_message, correlation_id, event_id, topic) ILIKE %(words)s"
_HAS_VALUE = "attributes && %(digests)s::bigint[]"


def groups_of_letters(ids: Sequence[int]) -> list[int]:
    """The groups that these letters are in."""
    return _first_column(
        "SELECT DISTINCT group_id FROM dlq_deadletter WHERE id = ANY(%(ids)s)", ids=list(ids)
    )


def groups_of_correlation(correlation_id: str) -> list[int]:
    """Groups with a letter of this trace."""
    return _first_column(
        "SELECT DISTINCT group_id FROM dlq_deadletter WHERE correlation_id = %(id)s", id=correlation_id
    )


def groups_of_topic(topic: str, status: str) -> list[int]:
    """Groups with a letter of this topic or queue."""
    return _groups_of_lanes("%(value)s IN (lane.topic, lane.read_from)", topic, status)


def groups_of_source(name: str, status: str) -> list[int]:
    """Groups with a letter that came by this source."""
    source = Source.objects.filter(name=name).values_list("pk", flat=True).first()
    return _groups_of_lanes("lane.source_id = %(value)s", source or 0, status)


def _groups_of_lanes(condition: str, value: str | int, status: str) -> list[int]:
    """Each lane is asked by the index dead_letter_lane, in its order."""
    return _first_column(
        f"""
        SELECT DISTINCT lane.group_id FROM dlq_lane lane, LATERAL (
            SELECT FROM dlq_deadletter letter
            WHERE letter.lane BETWEEN lane.key AND lane.key AND letter.status = ANY(%(statuses)s)
            ORDER BY letter.lane LIMIT 1
        ) there WHERE {condition}
        """,
        value=value,
        statuses=[status] if status else ALL_STATUSES,
    )


def _first_column(statement: str, **values: Any) -> list[int]:
    """Every name in a statement is written in this module."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [row[0] for row in cursor.fetchall()]


def _like(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
