"""People's rules on which group a letter belongs to, over what its fingerprint says.

A letter starts in the group of its fingerprint. The oldest rule in force about that group sends it on (to another
group, or to the part that its value makes), and so on until no rule is about the group it is in.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Protocol

import msgspec
from django.db import connection

from dlq.attributes import ROOT, value_at

# Writers of letters share this lock, a new rule takes it alone: nobody writes by the rules of before meanwhile.
LOCK = 0x0D1F
# Rules after rules end here, whatever people made of them.
MOST_HOPS = 16
# A rule that would make more parts leaves the rest where it is: somebody split by what is different each time.
MOST_PARTS = 200
PLAIN_FIELDS = {
    "event_type": "event type",
    "event_version": "event version",
    "event_source": "publishing service",
    "failed_in": "service that failed",
    "topic": "topic",
    "error_class": "error class",
    "key": "message key",
}


class Rule(msgspec.Struct, frozen=True):
    """A rule in force."""

    id: int
    # Whose letters it is about.
    group: int
    # Where they go; None for a split.
    target: int | None
    # What tells them apart; empty for a merge.
    field: str


class Part(msgspec.Struct, frozen=True):
    """A part of a group that a rule splits."""

    rule: int
    group: int
    field: str
    value: str

    @property
    def fingerprint(self) -> str:
        """What the part's group is known by."""
        return f"s{self.rule}-{sha256(self.value.encode('utf-8', 'replace')).hexdigest()[:40]}"


class Fields(Protocol):
    """What a letter can be told apart by."""

    def __call__(self, field: str) -> str | None:
        """The value of this field, or None when the letter has none."""
        ...


class Rules:
    """The rules in force, the oldest first."""

    def __init__(self, rules: Iterable[Rule], fixed: Iterable[int] = ()) -> None:
        self._of: dict[int, Rule] = {}
        # Groups that were marked as fixed and have not failed since.
        self.fixed = frozenset(fixed)
        for rule in rules:
            self._of.setdefault(rule.group, rule)

    @classmethod
    def in_force(cls) -> "Rules":
        """As they are now. One statement over a handful of rows."""
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT id, group_id, target_id, field FROM dlq_grouprule WHERE undone_at IS NULL
                UNION ALL
                SELECT NULL, id, NULL, '' FROM dlq_deadlettergroup  -- group_watched
                WHERE fixed_at IS NOT NULL AND regressed_at IS NULL
                ORDER BY id
                """
            )
            rows = cursor.fetchall()
        return cls(
            (Rule(*row) for row in rows if row[0] is not None), (row[1] for row in rows if row[0] is None)
        )

    def __bool__(self) -> bool:
        return bool(self._of)

    @property
    def reads_payloads(self) -> bool:
        """Whether a letter's place depends on its payload."""
        return any(rule.field.startswith(f"{ROOT}.") for rule in self._of.values())

    def about(self, group: int) -> Rule | None:
        """The rule that decides for letters in this group."""
        return self._of.get(group)

    def place(self, own_group: int, value: Fields, part_ids: Mapping[Part, int | None]) -> "int | Part":
        """The group of a letter whose fingerprint says `own_group`; a Part when its id is needed to go on.

        A part that `part_ids` gives None for is not to be: the letter stays in front of it.
        """
        group, passed = own_group, {own_group}
        for _ in range(MOST_HOPS):
            rule = self._of.get(group)
            if rule is None:
                return group
            following = rule.target
            if following is None:
                told = value(rule.field)
                if told is None:
                    return group
                part = Part(rule.id, rule.group, rule.field, told[:500])
                if part not in part_ids:
                    return part
                following = part_ids[part]
            if following is None or following in passed:
                return group
            passed.add(following)
            group = following
        return group

    def follow(self, group: int) -> int:
        """Where merges send this group, in the end."""
        passed = {group}
        while (rule := self._of.get(group)) and rule.target and rule.target not in passed:
            group = rule.target
            passed.add(group)
        return group


def readable(field: str) -> str:
    """A field's name for people; a path of the payload stays as it is."""
    return PLAIN_FIELDS.get(field, field)


def is_field(field: str) -> bool:
    """Whether letters can be told apart by this."""
    return field in PLAIN_FIELDS or field.startswith(f"{ROOT}.")


def fields(plain: Callable[[str], str | None], data: Callable[[], str | None]) -> Fields:
    """Values by name: of the letter's own columns, or of its payload, which is only read when it is needed."""

    def value(field: str) -> str | None:
        if field in PLAIN_FIELDS:
            return plain(field) or None
        text = data()
        return value_at(text, field) if text is not None else None

    return value
