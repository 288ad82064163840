"""Finding letters and groups by words and by values of the payload, at a bounded cost whatever has piled up."""

import re

from django.db import connection

from dlq.attributes import BadAttribute, read_attribute

# Words are looked for in this many of the newest letters of a status.
SEARCHED_LETTERS = 20_000
MAX_FOUND = 2_000
# The topics of a group are looked for in this many of its newest letters.
LOOKED_AT_FOR_TOPIC = 20


def groups_by_words(words: str) -> list[int]:
    """Groups with these words in their title, names, or the stack of their first letter."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM dlq_deadlettergroup
            WHERE title ILIKE %(words)s OR event_type ILIKE %(words)s OR failed_in ILIKE %(words)s
               OR error_class ILIKE %(words)s OR example_stack ILIKE %(words)s
            ORDER BY id DESC LIMIT %(limit)s
            """,
            {"words": _like(words), "limit": MAX_FOUND},
        )
        return [row[0] for row in cursor.fetchall()]


def by_words(words: str, status: str) -> list[int]:
    """Letters with the words in their message or ids: by index where it is a whole id, else in the newest ones."""
    number = words.lstrip("#")
    with connection.cursor() as cursor:
        cursor.execute(
            """
            (SELECT id FROM dlq_deadletter WHERE event_id = %(exact)s LIMIT %(limit)s)
            UNION (SELECT id FROM dlq_deadletter WHERE correlation_id = %(exact)s LIMIT %(limit)s)
            UNION (SELECT id FROM dlq_deadletter WHERE id = %(number)s)
            UNION (
                SELECT id FROM (
                    SELECT id, error_message, correlation_id, event_id, topic FROM dlq_deadletter
                    WHERE %(status)s = '' OR status = %(status)s ORDER BY id DESC LIMIT %(searched)s
                ) newest
                WHERE error_message ILIKE %(words)s OR correlation_id ILIKE %(words)s OR event_id ILIKE %(words)s
                   OR topic ILIKE %(words)s
                LIMIT %(limit)s
            )
            """,
            {
                "exact": words,
                "number": int(number) if re.fullmatch(r"[0-9]{1,18}", number) else None,
                "status": status,
                "words": _like(words),
                "searched": SEARCHED_LETTERS,
                "limit": MAX_FOUND,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def with_attribute(text: str, status: str) -> list[int]:
    """The newest letters with this value in their payload, at most `MAX_FOUND`; none when `text` asks for no value.

    What many letters have is found among the newest; what few have, by the index dead_letter_attributes.
    """
    try:
        digests = read_attribute(text).digests
    except BadAttribute:
        return []
    values: dict[str, str | int | list[int]] = {
        "digests": digests,
        "status": status,
        "searched": SEARCHED_LETTERS,
        "limit": MAX_FOUND,
    }
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM (
                SELECT id, attributes FROM dlq_deadletter
                WHERE %(status)s = '' OR status = %(status)s ORDER BY id DESC LIMIT %(searched)s
            ) newest
            WHERE attributes && %(digests)s::bigint[] ORDER BY id DESC LIMIT %(limit)s
            """,
            values,
        )
        newest = [row[0] for row in cursor.fetchall()]
        if len(newest) == MAX_FOUND:
            return newest
        # An aggregate over all of them, for with a LIMIT the planner walks the table in the hope of an early end.
        cursor.execute(
            """
            SELECT coalesce((array_agg(id ORDER BY id DESC))[1:%(limit)s], '{}') FROM dlq_deadletter
            WHERE attributes && %(digests)s::bigint[] AND (%(status)s = '' OR status = %(status)s)
            """,
            values,
        )
        row = cursor.fetchone()
        return list(row[0]) if row else []


def groups_of_topic(topic: str, status: str) -> list[int]:
    """Groups with a letter of this topic or queue among their newest ones. Index dead_letter_group."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT g.id FROM dlq_deadlettergroup g WHERE EXISTS (
                SELECT FROM unnest(%(statuses)s::text[]) AS of (status), LATERAL (
                    SELECT topic, read_from FROM dlq_deadletter
                    WHERE group_id BETWEEN g.id AND g.id AND status BETWEEN of.status AND of.status
                    ORDER BY group_id, status, id DESC LIMIT %(limit)s
                ) newest
                WHERE %(topic)s IN (newest.topic, newest.read_from)
            )
            """,
            {
                "statuses": [status] if status else ["open", "sent", "resolved", "discarded"],
                "topic": topic,
                "limit": LOOKED_AT_FOR_TOPIC,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def _like(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
