"""Finding groups and letters by what people filter by, a page at a time."""

import re
from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import connection
from django.db.models import Q, QuerySet

from dlq.models import DeadLetter, Reason, Status

# Words are looked for in this many of the newest letters of a status, so that a search has a bounded cost.
SEARCHED_LETTERS = 20_000
MAX_FOUND = 2_000
# Traces of a group are counted in this many of its newest letters.
COUNTED_FOR_TRACES = 300
# Beyond this, a page says "100+" instead of a number.
MOST_NEWS = 100
MOST_SENT = 1_000


class Filter(msgspec.Struct, frozen=True):
    """What to show; empty text and None filter nothing."""

    status: str = ""
    reason: str = ""
    source: str = ""
    event_type: str = ""
    q: str = ""
    correlation_id: str = ""
    group: int | None = None


class GroupRow(msgspec.Struct, frozen=True):
    """A group as a list shows it."""

    id: int
    title: str
    reason: str
    source: str
    event_type: str
    failed_in: str
    error_class: str
    first_seen_at: datetime
    last_failed_at: datetime | None
    letters: int
    open: int

    @property
    def place(self) -> list[int]:
        """Where it stands in the list, for the cursor."""
        return [self.open, self.id]

    @property
    def why(self) -> str:
        """The reason, in words that follow "messages that"."""
        return Reason(self.reason).label


def letters(wanted: Filter, limit: int, before_id: int | None = None) -> list[DeadLetter]:
    """The newest letters, without their bodies, below `before_id`."""
    found = matching(wanted)
    if before_id is not None:
        found = found.filter(pk__lt=before_id)
    return list(
        found.select_related("source", "group").defer("body", "headers", "stack").order_by("-pk")[:limit]
    )


def open_letter_ids(wanted: Filter, limit: int) -> list[int]:
    """The ids of open letters, the oldest first: what a retry of all of them takes."""
    found = matching(msgspec.structs.replace(wanted, status=Status.OPEN.value))
    return list(found.order_by("pk").values_list("pk", flat=True)[:limit])


def groups(wanted: Filter, limit: int, after: Sequence[int] | None = None) -> list[GroupRow]:
    """Groups with letters of the wanted status, the loudest first; `after` is a `GroupRow.place`."""
    where: list[str] = ["totals.letters > 0"]
    values: list[str | int | list[int]] = []
    if wanted.status == Status.OPEN:
        where.append("totals.open > 0")
    elif wanted.status:
        where.append(
            "EXISTS (SELECT FROM dlq_deadletter letter WHERE letter.group_id = g.id AND letter.status = %s)"
        )
        values.append(wanted.status)
    for column, value in (
        ("g.reason", wanted.reason),
        ("source.name", wanted.source),
        ("g.event_type", wanted.event_type),
        ("g.id", wanted.group),
    ):
        if value:
            where.append(f"{column} = %s")
            values.append(value)
    if wanted.q:
        ids = _found_by_words(wanted)
        where.append(
            "(g.id = ANY(%s) OR g.id IN (SELECT group_id FROM dlq_deadletter letter WHERE letter.id = ANY(%s)))"
        )
        values += [_groups_by_words(wanted.q), ids]
    if wanted.correlation_id:
        where.append(
            "EXISTS (SELECT FROM dlq_deadletter letter"
            " WHERE letter.group_id = g.id AND letter.correlation_id = %s)"
        )
        values.append(wanted.correlation_id)
    if after is not None:
        where.append("(totals.open, g.id) < (%s, %s)")
        values += list(after)[:2]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            SELECT g.id, g.title, g.reason, source.name, g.event_type, g.failed_in, g.error_class,
                   g.first_seen_at, totals.last_failed_at, totals.letters, totals.open
            FROM (
                SELECT group_id, sum(letters_change)::bigint AS letters, sum(open_change)::bigint AS open,
                       max(last_failed_at) AS last_failed_at
                FROM dlq_groupcount GROUP BY group_id
            ) totals
            JOIN dlq_deadlettergroup g ON g.id = totals.group_id
            JOIN brokers_source source ON source.id = g.source_id
            WHERE {" AND ".join(where)}
            ORDER BY totals.open DESC, g.id DESC LIMIT %s
            """,  # noqa: S608 - the conditions are written above
            [*values, limit],
        )
        return [GroupRow(*row) for row in cursor.fetchall()]


class Traces(msgspec.Struct, frozen=True):
    """How many traces a group's open letters hurt."""

    count: int
    # There were more letters than were looked at: the true number may be higher.
    at_least: bool


def traces_hurt(group_ids: Sequence[int]) -> dict[int, Traces]:
    """For each group, the traces of its newest open letters. One statement; index dead_letter_group."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT wanted.id, hurt.traces, hurt.looked_at
            FROM unnest(%s::bigint[]) AS wanted (id), LATERAL (
                SELECT count(DISTINCT correlation_id) AS traces, count(*) AS looked_at FROM (
                    SELECT correlation_id FROM dlq_deadletter
                    WHERE group_id BETWEEN wanted.id AND wanted.id AND status BETWEEN 'open' AND 'open'
                    ORDER BY group_id, status, id DESC LIMIT %s
                ) newest
            ) hurt
            """,
            [list(group_ids), COUNTED_FOR_TRACES],
        )
        return {
            row[0]: Traces(row[1], at_least=row[2] >= COUNTED_FOR_TRACES and row[1] > 0) for row in cursor
        }


def count_newer(wanted: Filter, after_id: int, since: datetime | None = None) -> int:
    """How many letters came after `after_id`, or came back after `since`; at most `MOST_NEWS`."""
    found = matching(wanted)
    newer = found.filter(pk__gt=after_id)[:MOST_NEWS].count()
    if since is None:
        return newer
    returned = found.filter(pk__lte=after_id, returns__gt=0, last_failed_at__gt=since)
    return min(MOST_NEWS, newer + returned[:MOST_NEWS].count())


def count_sent(group: int | None) -> int:
    """How many letters (of a group) were sent and await their outcome; at most `MOST_SENT`."""
    found = DeadLetter.objects.filter(status=Status.SENT)
    if group is not None:
        found = found.filter(group=group)
    return found[:MOST_SENT].count()


def matching(wanted: Filter) -> QuerySet[DeadLetter]:
    """The letters that fit, in no order."""
    found = DeadLetter.objects.all()
    if wanted.group and wanted.status:
        # Ranges of one value: with "=", PostgreSQL thinks that the newest letters of a group are found soon by reading
        # all letters backwards, and for a group that has been quiet for long, that is all of them.
        found = found.filter(group__gte=wanted.group, group__lte=wanted.group)
        found = found.filter(status__gte=wanted.status, status__lte=wanted.status)
    elif wanted.group:
        found = found.filter(group=wanted.group)
    elif wanted.status:
        found = found.filter(status=wanted.status)
    if wanted.reason:
        found = found.filter(reason=wanted.reason)
    if wanted.source:
        found = found.filter(source__name=wanted.source)
    if wanted.event_type:
        found = found.filter(event_type=wanted.event_type)
    if wanted.correlation_id:
        found = found.filter(correlation_id=wanted.correlation_id)
    if wanted.q:
        found = found.filter(Q(pk__in=_found_by_words(wanted)) | Q(group__in=_groups_by_words(wanted.q)))
    return found


def _groups_by_words(words: str) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT id FROM dlq_deadlettergroup
            WHERE title ILIKE %(words)s OR event_type ILIKE %(words)s OR failed_in ILIKE %(words)s
               OR error_class ILIKE %(words)s
            ORDER BY id DESC LIMIT %(limit)s
            """,
            {"words": _like(words), "limit": MAX_FOUND},
        )
        return [row[0] for row in cursor.fetchall()]


def _found_by_words(wanted: Filter) -> list[int]:
    """Letters with the words in their message or ids: by index where it is a whole id, else in the newest ones."""
    number = wanted.q.lstrip("#")
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
                "exact": wanted.q,
                "number": int(number) if re.fullmatch(r"[0-9]{1,18}", number) else None,
                "status": wanted.status,
                "words": _like(wanted.q),
                "searched": SEARCHED_LETTERS,
                "limit": MAX_FOUND,
            },
        )
        return [row[0] for row in cursor.fetchall()]


def _like(words: str) -> str:
    escaped = words.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
