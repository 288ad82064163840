"""Finding groups and letters by what people filter by, a page at a time (letters: `dlq.newest`)."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from dlq import searching
from dlq.filter import Filter, GroupState
from dlq.models import DeadLetter, Reason, Status
from dlq.newest import Newest, search_of
from dlq.searching import Search

# Traces of a group are counted in this many of its newest letters.
COUNTED_FOR_TRACES = 50
# Beyond this, a page says "100+" instead of a number.
MOST_NEWS = 100
MOST_SENT = 1_000
# What a list does not show of a letter.
LARGE = ("body", "headers", "raw_headers", "properties", "stack")


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
    failures: int
    assignee: str | None
    snoozed_until: datetime | None
    snoozed_until_failures: int | None
    snoozed_by: str
    fixed_at: datetime | None
    fixed_in: str
    fixed_by: str
    regressed_at: datetime | None

    @property
    def is_snoozed(self) -> bool:
        """Whether it is kept off the list now. A regression is heard whatever was said before."""
        if self.regressed_at is not None:
            return False
        if self.snoozed_until is not None:
            return self.snoozed_until > timezone.now()
        return self.snoozed_until_failures is not None and self.failures < self.snoozed_until_failures

    @property
    def place(self) -> list[int]:
        """Where it stands in the list, for the cursor."""
        return [self.open, self.id]

    @property
    def why(self) -> str:
        """The reason, in words that follow "messages that"."""
        return Reason(self.reason).label


_SNOOZED = (
    "(g.regressed_at IS NULL AND (coalesce(g.snoozed_until > now(), false)"
    " OR coalesce(totals.failures < g.snoozed_until_failures, false)))"
)
# Which groups a filter's state asks for; without one, those that are not snoozed.
STATES: dict[GroupState | None, str] = {
    None: f"NOT {_SNOOZED}",
    GroupState.SNOOZED: _SNOOZED,
    GroupState.MINE: "g.assignee_id IS NOT NULL",
    GroupState.UNASSIGNED: f"g.assignee_id IS NULL AND NOT {_SNOOZED}",
    GroupState.REGRESSED: "g.regressed_at IS NOT NULL",
    GroupState.FIXED: "g.fixed_at IS NOT NULL AND g.regressed_at IS NULL",
    GroupState.ANY: "true",
}


def letters(
    wanted: Filter,
    limit: int,
    before_id: int | None = None,
    *,
    with_bodies: bool = False,
    search: Search | None = None,
) -> list[DeadLetter]:
    """The newest letters below `before_id`, without what is large in them unless it is asked for."""
    ids = Newest(wanted, below=before_id, search=search).ids(limit)
    return list(
        DeadLetter.objects.filter(pk__in=ids)
        .select_related("source", "group")
        .defer("attributes", "group__example_stack", *([] if with_bodies else LARGE))
        .order_by("-pk")
    )


def open_letter_ids(wanted: Filter, limit: int) -> list[int]:
    """The ids of open letters, the oldest first: what a retry of all of them takes."""
    found = matching(msgspec.structs.replace(wanted, status=Status.OPEN.value))
    return list(found.order_by("pk").values_list("pk", flat=True)[:limit])


def groups(
    wanted: Filter, limit: int, after: Sequence[int] | None = None, *, search: Search | None = None
) -> list[GroupRow]:
    """Groups with letters of the wanted status, the loudest first; `after` is a `GroupRow.place`.

    `search` is `wanted`'s own, for a request that shows letters too.
    """
    search = search or search_of(wanted)
    where: list[str] = ["totals.letters > 0"]
    values: list[str | int | list[int] | datetime] = []
    if wanted.status == Status.OPEN:
        where.append("totals.open > 0")
    elif wanted.status:
        # A range of one value, so that each group is asked by the index dead_letter_group.
        where.append(
            "EXISTS (SELECT FROM dlq_deadletter letter"
            " WHERE letter.group_id BETWEEN g.id AND g.id AND letter.status = %s)"
        )
        values.append(wanted.status)
    if wanted.group is None:
        where.append(STATES[GroupState(wanted.state) if wanted.state else None])
    for column, value in (
        ("g.reason", wanted.reason),
        ("g.event_type", wanted.event_type),
        ("g.failed_in", wanted.failed_in),
        ("g.error_class", wanted.error_class),
        ("g.assignee_id", wanted.assignee if wanted.state == GroupState.MINE else None),
        ("g.id", wanted.group),
    ):
        if value:
            where.append(f"{column} = %s")
            values.append(value)
    if wanted.q:
        where.append("g.id = ANY(%s)")
        values.append([*search.groups_by_words, *searching.groups_of_letters(search.by_words)])
    if wanted.correlation_id:
        where.append("g.id = ANY(%s)")
        values.append(searching.groups_of_correlation(wanted.correlation_id))
    if wanted.attribute:
        where.append("g.id = ANY(%s)")
        values.append(searching.groups_of_letters(search.with_attribute))
    if wanted.source:
        where.append("g.id = ANY(%s)")
        values.append(searching.groups_of_source(wanted.source, wanted.status))
    if wanted.topic:
        where.append("g.id = ANY(%s)")
        values.append(searching.groups_of_topic(wanted.topic, wanted.status))
    if wanted.since:
        where.append("totals.last_failed_at >= %s")
        values.append(wanted.since)
    if wanted.until:
        where.append("g.first_seen_at < %s")
        values.append(wanted.until)
    if after is not None:
        where.append("(totals.open, g.id) < (%s, %s)")
        values += list(after)[:2]
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH totals AS MATERIALIZED (  -- or it is summed up for every group that fits
                SELECT group_id, sum(letters_change)::bigint AS letters, sum(open_change)::bigint AS open,
                       max(last_failed_at) AS last_failed_at, sum(failures)::bigint AS failures
                FROM dlq_groupcount GROUP BY group_id
            )
            SELECT g.id, g.title, g.reason, source.name, g.event_type, g.failed_in, g.error_class,
                   g.first_seen_at, totals.last_failed_at, totals.letters, totals.open, totals.failures,
                   person.username, g.snoozed_until, g.snoozed_until_failures, g.snoozed_by, g.fixed_at, g.fixed_in,
                   g.fixed_by, g.regressed_at
            FROM totals
            JOIN dlq_deadlettergroup g ON g.id = totals.group_id
            JOIN brokers_source source ON source.id = g.source_id
            LEFT JOIN auth_user person ON person.id = g.assignee_id
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
    newer = len(Newest(wanted, above=after_id).ids(MOST_NEWS))
    if since is None or newer >= MOST_NEWS:
        return newer
    return min(MOST_NEWS, newer + Newest(wanted, below=after_id + 1).came_back(since, MOST_NEWS))


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
    if wanted.topic:
        found = found.filter(Q(topic=wanted.topic) | Q(read_from=wanted.topic))
    if wanted.failed_in:
        found = found.filter(failed_in=wanted.failed_in)
    if wanted.error_class:
        found = found.filter(error_class=wanted.error_class)
    if wanted.since:
        found = found.filter(last_failed_at__gte=wanted.since)
    if wanted.until:
        found = found.filter(last_failed_at__lt=wanted.until)
    search = search_of(wanted)
    if wanted.attribute:
        found = found.filter(pk__in=search.with_attribute)
    if wanted.q:
        found = found.filter(Q(pk__in=search.by_words) | Q(group__in=search.groups_by_words))
    return found
