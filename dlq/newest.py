"""The newest letters that fit a filter, at a cost that what has piled up does not decide.

A page wants fifty letters in the order of their numbers. PostgreSQL would walk all letters backwards until it has
them, which is quick for what is common and reads everything for what failed long ago. So it is told where to look: what
a filter says of groups chooses groups, and of each of these only the newest letters are read, by an index that begins
with the group. The fifty newest letters of all are in the fifty groups whose own newest letter is newest.
"""
# ruff: noqa: S608 - every name in a statement is written in this module, values are parameters

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from dlq import searching
from dlq.filter import Filter
from eventhub.brokers.models import Source

# When no more letters failed in the time asked for, they are looked at one by one.
FEW = 5_000
# Letters that failed lately are mostly the newest: looked for among so many before their time decides.
LOOKED_AT = 20_000
# What letters are told apart by, without what is large in them.
COLUMNS = (
    "id, group_id, source_id, status, reason, event_type, topic, read_from, failed_in, error_class, last_failed_at,"
    " returns"
)


class Newest:
    """A filter, ready to be asked which letters fit it."""

    def __init__(
        self,
        wanted: Filter,
        *,
        below: int | None = None,
        above: int | None = None,
        search: searching.Search | None = None,
    ) -> None:
        """Only letters with numbers below and above these, where they are given. `search` is `wanted`'s own."""
        self._wanted = wanted
        self._search = search or search_of(wanted)
        self._values: dict[str, Any] = {
            "statuses": [wanted.status] if wanted.status else searching.ALL_STATUSES
        }
        said: list[str] = []
        for condition, name, value in (
            ("letter.id < %(below)s", "below", below),
            ("letter.id > %(above)s", "above", above),
            ("letter.reason = %(reason)s", "reason", wanted.reason),
            ("letter.source_id = %(source)s", "source", _source(wanted.source) if wanted.source else None),
            ("letter.event_type = %(event_type)s", "event_type", wanted.event_type),
            ("%(topic)s IN (letter.topic, letter.read_from)", "topic", wanted.topic),
            ("letter.failed_in = %(failed_in)s", "failed_in", wanted.failed_in),
            ("letter.error_class = %(error_class)s", "error_class", wanted.error_class),
            ("letter.last_failed_at >= %(since)s", "since", wanted.since),
            ("letter.last_failed_at < %(until)s", "until", wanted.until),
        ):
            if value or value == 0:
                said.append(condition)
                self._values[name] = value
        self._said = " AND ".join(["true", *said])
        # Where in the order of numbers.
        self._place = " AND ".join(["true", *(one for one in said if one.startswith("letter.id "))])
        # For those who do not come from a status or a group.
        self._said_of_all = f"{self._said} AND letter.status = ANY(%(statuses)s)"
        if wanted.group is not None:
            self._values["group"] = wanted.group
            self._said_of_all += " AND letter.group_id = %(group)s"

    def ids(self, limit: int) -> list[int]:
        """The `limit` newest, the newest first."""
        wanted = self._wanted
        found: Iterable[int]
        if wanted.correlation_id:
            found = self._of_correlation(limit)
        elif wanted.attribute:
            found = self._among(self._search.with_attribute, limit, self._words() if wanted.q else "true")
        elif wanted.q:
            groups = self._groups(self._search.groups_by_words)
            found = {*self._among(self._search.by_words, limit), *self._of_groups(groups, limit)}
        elif wanted.since and self._are_few_since():
            found = self._by_time(limit)
        elif wanted.group is not None:
            found = self._of_groups([wanted.group], limit)
        elif _is_about_groups(wanted):
            found = self._of_groups(self._groups(), limit)
        else:
            found = self._walk(limit)
        return sorted(found, reverse=True)[:limit]

    def came_back(self, since: datetime, limit: int) -> int:
        """How many of them came back from a retry since then; at most `limit`, of the `LOOKED_AT` that failed first."""
        return len(
            self._select(
                f"""
                SELECT letter.id FROM (
                    SELECT {COLUMNS} FROM dlq_deadletter WHERE last_failed_at > %(returned_since)s
                    ORDER BY last_failed_at LIMIT {LOOKED_AT}
                ) letter WHERE returns > 0 AND {self._said_of_all} LIMIT %(limit)s
                """,
                limit=limit,
                returned_since=since,
            )
        )

    def _groups(self, among: Sequence[int] | None = None) -> list[int]:
        """The groups that letters can be in which say what the filter asks for.

        Where a rule of people's put letters of other groups, its letters say by themselves what they are.
        """
        wanted = self._wanted
        said: list[str] = []
        own = [
            f"g.{column} = %({column})s"
            for column in ("reason", "event_type", "failed_in", "error_class")
            if getattr(wanted, column)
        ]
        if own:
            said.append(
                f"""({" AND ".join(own)} OR g.split_by_id IS NOT NULL OR g.id IN (
                    SELECT target_id FROM dlq_grouprule WHERE undone_at IS NULL OR settled_at IS NULL))"""
            )
        if wanted.since:
            said.append(
                """EXISTS (SELECT FROM dlq_groupcount c WHERE c.group_id = g.id AND c.last_failed_at >= %(since)s)"""
            )
        if wanted.group is not None:
            said.append("g.id = %(group)s")
        if among is not None:
            said.append("g.id = ANY(%(among)s)")
        return self._select(
            f"SELECT g.id FROM dlq_deadlettergroup g WHERE {' AND '.join(['true', *said])}",
            among=list(among or ()),
        )

    def _of_groups(self, groups: Sequence[int], limit: int) -> set[int]:
        """The newest of these groups, by the index dead_letter_group; of their lanes, by dead_letter_lane, where it is
        asked for a source or a topic."""
        if not groups:
            return set()
        column, shelves = "group_id", groups
        if self._wanted.topic or self._wanted.source:
            column, shelves = "lane", self._lanes(groups)
        # Ranges of one value, and the order of the index: see `listing.matching`.
        newest = f"""
            SELECT letter.id FROM dlq_deadletter letter
            WHERE letter.{column} BETWEEN place.shelf AND place.shelf
              AND letter.status BETWEEN place.status AND place.status AND {self._said}
            ORDER BY letter.{column}, letter.status, letter.id DESC"""
        return set(
            self._select(
                f"""
                WITH first AS MATERIALIZED (
                    SELECT place.*, newest.id FROM (
                        SELECT * FROM unnest(%(shelves)s::bigint[]) AS g (shelf),
                                      unnest(%(statuses)s::text[]) AS s (status)
                    ) place, LATERAL ({newest} LIMIT 1) newest ORDER BY newest.id DESC LIMIT %(limit)s
                )
                SELECT newest.id FROM first place, LATERAL ({newest} LIMIT %(limit)s) newest
                ORDER BY newest.id DESC LIMIT %(limit)s
                """,
                shelves=list(shelves),
                limit=limit,
            )
        )

    def _lanes(self, groups: Sequence[int]) -> list[int]:
        """The lanes of these groups that its source and its topic allow."""
        said = ["group_id = ANY(%(groups)s)"]
        if self._wanted.topic:
            said.append("%(topic)s IN (topic, read_from)")
        if self._wanted.source:
            said.append("source_id = %(source)s")
        return self._select(f"SELECT key FROM dlq_lane WHERE {' AND '.join(said)}", groups=list(groups))

    def _of_correlation(self, limit: int) -> list[int]:
        """Those of a trace. Index dead_letter_correlation."""
        wanted = self._wanted
        conditions = [self._said_of_all, self._words() if wanted.q else "true"]
        if wanted.attribute:
            self._values["valued"] = self._search.with_attribute
            conditions.append("letter.id = ANY(%(valued)s)")
        return self._select(
            f"""
            WITH letter AS MATERIALIZED (SELECT {COLUMNS} FROM dlq_deadletter WHERE correlation_id = %(correlation)s)
            SELECT id FROM letter WHERE {" AND ".join(conditions)} ORDER BY id DESC LIMIT %(limit)s
            """,
            correlation=wanted.correlation_id,
            limit=limit,
        )

    def _words(self) -> str:
        """The condition that the words are in a letter, or tell its group."""
        self._values["worded"] = self._search.by_words
        self._values["worded_groups"] = self._search.groups_by_words
        return "(letter.id = ANY(%(worded)s) OR letter.group_id = ANY(%(worded_groups)s))"

    def _among(self, ids: Sequence[int], limit: int, also: str = "true") -> list[int]:
        return self._select(
            f"""
            WITH letter AS MATERIALIZED (SELECT {COLUMNS} FROM dlq_deadletter WHERE id = ANY(%(ids)s))
            SELECT id FROM letter WHERE {self._said_of_all} AND {also} ORDER BY id DESC LIMIT %(limit)s
            """,
            ids=list(ids),
            limit=limit,
        )

    def _are_few_since(self) -> bool:
        """Whether so few letters failed since then that it is best to begin with these."""
        found = self._select(
            f"""
            SELECT count(*) FROM (
                SELECT FROM dlq_deadletter WHERE last_failed_at >= %(since)s LIMIT {FEW + 1}
            ) recent
            """
        )
        return found[0] <= FEW

    def _by_time(self, limit: int) -> list[int]:
        """Those that failed since then, all of them looked at. Index dead_letter_failed."""
        return self._select(
            f"""
            WITH letter AS MATERIALIZED (SELECT {COLUMNS} FROM dlq_deadletter WHERE last_failed_at >= %(since)s)
            SELECT id FROM letter WHERE {self._said_of_all} ORDER BY id DESC LIMIT %(limit)s
            """,
            limit=limit,
        )

    def _walk(self, limit: int) -> list[int]:
        """All letters backwards, which ends soon where nothing is asked but a status; where a time is asked for and
        the newest did not fail since, the time decides."""
        order = "letter.status, letter.id DESC" if self._wanted.status else "letter.id DESC"
        status = "letter.status BETWEEN %(status)s AND %(status)s" if self._wanted.status else "true"
        window = f"LIMIT {LOOKED_AT}" if self._wanted.since else ""
        found = self._select(
            f"""
            SELECT letter.id FROM (
                SELECT {COLUMNS} FROM dlq_deadletter letter WHERE {status} AND {self._place} ORDER BY {order} {window}
            ) letter WHERE {self._said} LIMIT %(limit)s
            """,
            status=self._wanted.status,
            limit=limit,
        )
        return self._by_time(limit) if self._wanted.since and len(found) < limit else found

    def _select(self, statement: str, **values: Any) -> list[int]:
        """The first column. Every name in a statement is written in this module."""
        with connection.cursor() as cursor:
            cursor.execute(statement, self._values | values)
            return [row[0] for row in cursor.fetchall()]


def search_of(wanted: Filter) -> searching.Search:
    """What a filter looks for by words and values."""
    return searching.Search(wanted.q, wanted.attribute, wanted.status, wanted.group)


def _is_about_groups(wanted: Filter) -> bool:
    """Whether it says more of letters than their status and time."""
    return any(
        (wanted.reason, wanted.source, wanted.event_type, wanted.failed_in, wanted.error_class, wanted.topic)
    )


def _source(name: str) -> int:
    """The number of a source; of none, one that nothing has."""
    return Source.objects.filter(name=name).values_list("pk", flat=True).first() or 0
