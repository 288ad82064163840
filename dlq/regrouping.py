"""Merging groups and splitting one, by rules that people make and undo; the letters that are there follow.

A rule is in force from its commit on: a letter that arrives afterwards goes where it says. The letters from before
are moved a chunk at a time, each chunk with its counts in one transaction, so a group of a million does not hold
anybody up; what a crash leaves is moved by the next sweep (`settle_some`).
"""

import time
from collections.abc import Iterable

from django.db import connection, transaction
from django.utils import timezone

from dlq import lanes
from dlq.groups import settle
from dlq.models import DeadLetter, DeadLetterGroup, GroupRule, RuleKind, Status
from dlq.reading import fields_of
from dlq.rules import LOCK, Rules, is_field, readable
from eventhub.access import audit
from eventhub.access.audit import Actor
from eventhub.running.stopping import is_asked

CHUNK = 2_000
# So long a person waits for the letters to move; a worker moves the rest.
WAITED_FOR_S = 3.0
# A pass over the groups is repeated while letters change their status under it, and no more often than this.
MOST_PASSES = 5
MOST_MERGED_AT_ONCE = 50


class CannotRegroup(ValueError):
    """The rule makes no sense. The text says why, and what can be done."""


def merge(group_ids: Iterable[int], into: int, actor: Actor) -> list[GroupRule]:
    """Merge these groups into another: their letters move, later ones follow. Raises CannotRegroup."""
    wanted = sorted(set(group_ids) - {into})
    if not wanted:
        raise CannotRegroup("Choose at least one other group to merge into this one.")
    if len(wanted) > MOST_MERGED_AT_ONCE:
        raise CannotRegroup(
            f"At most {MOST_MERGED_AT_ONCE} groups are merged at once; {len(wanted)} were chosen."
        )
    with transaction.atomic():
        _alone()
        rules = Rules.in_force()
        target = _group(rules.follow(into))
        made = []
        for group in (_group(pk) for pk in wanted):
            _refuse_merge(rules, group, target)
            made.append(
                GroupRule.objects.create(
                    kind=RuleKind.MERGE, group=group, target=target, made_by=actor.name[:150]
                )
            )
            audit.record(
                actor,
                "merge",
                f"dead-letter group {group.pk}",
                rule=made[-1].pk,
                into=target.pk,
                title=group.title,
            )
    settle_some(WAITED_FOR_S)
    return list(GroupRule.objects.filter(pk__in=[rule.pk for rule in made]).order_by("pk"))


def split(group_id: int, field: str, actor: Actor) -> GroupRule:
    """Split a group by a field: each value makes a group, letters without one stay. Raises CannotRegroup."""
    field = field.strip()
    if not is_field(field):
        raise CannotRegroup(
            "Split by one of the fields offered, or by a path of the payload like data.country."
        )
    with transaction.atomic():
        _alone()
        group = _group(group_id)
        about = Rules.in_force().about(group.pk)
        if about and about.target is None:
            raise CannotRegroup(
                f"It is split by {readable(about.field)} already. Split one of its parts, or undo that."
            )
        if about:
            raise CannotRegroup("It is merged into another group. Undo that first.")
        rule = GroupRule.objects.create(
            kind=RuleKind.SPLIT, group=group, field=field[:200], made_by=actor.name[:150]
        )
        audit.record(
            actor, "split", f"dead-letter group {group.pk}", rule=rule.pk, field=field, title=group.title
        )
    settle_some(WAITED_FOR_S)
    rule.refresh_from_db()
    return rule


def undo(rule_id: int, actor: Actor) -> GroupRule:
    """Take a rule out of force: the letters it moved go back to where they would be without it."""
    with transaction.atomic():
        _alone()
        rule = GroupRule.objects.select_for_update().filter(pk=rule_id).first()
        if rule is None:
            raise CannotRegroup(f"There is no rule {rule_id}.")
        if rule.undone_at is not None:
            raise CannotRegroup(f"{rule.undone_by} has undone it already.")
        rule.undone_at, rule.undone_by, rule.settled_at = timezone.now(), actor.name[:150], None
        rule.save(update_fields=["undone_at", "undone_by", "settled_at"])
        audit.record(actor, f"undo {rule.kind}", f"dead-letter group {rule.group_id}", rule=rule.pk)
    settle_some(WAITED_FOR_S)
    rule.refresh_from_db()
    return rule


def settle_some(seconds: float) -> bool:
    """Move letters that unsettled rules are about, for so long; True when nothing is left to move."""
    until = time.monotonic() + seconds
    for rule in GroupRule.objects.filter(settled_at=None).order_by("pk"):
        for _ in range(MOST_PASSES):
            moved, is_through = _pass(rule, until)
            if not is_through:
                return False
            if not moved:
                break
        # Unless it was undone meanwhile, which asks for another move.
        GroupRule.objects.filter(pk=rule.pk, undone_at=rule.undone_at).update(settled_at=timezone.now())
    return True


def _pass(rule: GroupRule, until: float) -> tuple[int, bool]:
    """Go through the letters that the rule may have to do with; how many moved, and whether the end was reached."""
    moved = 0
    for group in _around(rule):
        for status in Status.values:
            below = 2**62
            while below:
                if time.monotonic() > until or is_asked():
                    return moved, False
                some, below = _move(group, status, below)
                moved += some
    return moved, True


def _around(rule: GroupRule) -> list[int]:
    """The groups where letters may be that this rule has moved or has to move."""
    edges: dict[int, set[int]] = {}
    for source, target in GroupRule.objects.filter(target__isnull=False).values_list("group", "target"):
        edges.setdefault(source, set()).add(target)
    for part, whole in DeadLetterGroup.objects.filter(split_by__isnull=False).values_list(
        "pk", "split_by__group"
    ):
        edges.setdefault(whole, set()).add(part)
    found, new = {rule.group_id}, [rule.group_id]
    while new:
        following = edges.get(new.pop(), set()) - found
        found |= following
        new += following
    return sorted(found)


@transaction.atomic
def _move(group: int, status: str, below: int) -> tuple[int, int]:
    """Move the next letters of a group that belong elsewhere, with their counts.

    Returns how many moved, and the id below which to go on; 0 at the end. Index dead_letter_group.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [LOCK])
        # In ranges of one value: see dlq/listing.py.
        cursor.execute(
            """
            SELECT id FROM dlq_deadletter
            WHERE group_id BETWEEN %(group)s AND %(group)s AND status BETWEEN %(status)s AND %(status)s
              AND id < %(below)s
            ORDER BY group_id, status, id DESC LIMIT %(chunk)s
            """,
            {"group": group, "status": status, "below": below, "chunk": CHUNK},
        )
        ids = [row[0] for row in cursor.fetchall()]
    if not ids:
        return 0, 0
    rules = Rules.in_force()
    letters = list(
        DeadLetter.objects.filter(pk__in=ids, group=group)
        .select_related("source")
        .defer("stack", "error_message", *([] if rules.reads_payloads else ["body"]))
        .order_by("pk")
        .select_for_update(of=("self",))
    )
    own = [letter.own_group_id or letter.group_id for letter in letters]
    ends = settle(rules, [(first, fields_of(letter)) for first, letter in zip(own, letters, strict=True)])
    leaving = [
        (letter.pk, end, None if end == first else first)
        for letter, first, end in zip(letters, own, ends, strict=True)
        if end != letter.group_id
    ]
    if leaving:
        _write(leaving)
    return len(leaving), ids[-1] if len(ids) == CHUNK else 0


def _write(leaving: list[tuple[int, int, int | None]]) -> None:
    """Put locked letters into other groups; their failures and counts go with them, in the hours of their last one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH leaving AS (
                SELECT letter.id, letter.group_id AS before, moved.after, moved.own, letter.status, letter.returns,
                       letter.last_failed_at
                FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[]) AS moved (id, after, own)
                JOIN dlq_deadletter letter USING (id)
            ), written AS (
                UPDATE dlq_deadletter letter SET group_id = leaving.after, own_group_id = leaving.own
                FROM leaving WHERE letter.id = leaving.id
            ), counted AS (
                SELECT before, after, date_trunc('hour', last_failed_at, 'UTC') AS hour,
                       sum(1 + returns) AS failures, count(*) AS letters,
                       count(*) FILTER (WHERE status = 'open') AS open, max(last_failed_at) AS last_failed_at
                FROM leaving GROUP BY 1, 2, 3
            )
            INSERT INTO dlq_groupcount (group_id, hour, failures, letters_change, open_change, last_failed_at)
            SELECT before, hour, -failures, -letters, -open, NULL FROM counted
            UNION ALL
            SELECT after, hour, failures, letters, open, last_failed_at FROM counted
            """,
            [[row[0] for row in leaving], [row[1] for row in leaving], [row[2] for row in leaving]],
        )
    lanes.follow([row[0] for row in leaving])


def _alone() -> None:
    """Wait until nobody writes letters by the rules of before, and keep writers waiting until the commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])


def _group(pk: int) -> DeadLetterGroup:
    found = DeadLetterGroup.objects.filter(pk=pk).first()
    if found is None:
        raise CannotRegroup(f"There is no group {pk}.")
    return found


def _refuse_merge(rules: Rules, group: DeadLetterGroup, target: DeadLetterGroup) -> None:
    about = rules.about(group.pk)
    if group.pk == target.pk:
        raise CannotRegroup("These are merged already, the other way round. Undo that first.")
    if about and about.target is not None:
        raise CannotRegroup(f"“{group.title}” is merged into another group already. Undo that first.")
    if about:
        raise CannotRegroup(f"“{group.title}” is split by {readable(about.field)}. Undo that first.")
    above = target.pk
    part: DeadLetterGroup | None = group
    while part is not None and part.split_by is not None:
        if part.split_by.undone_at is None and rules.follow(part.split_by.group_id) == above:
            raise CannotRegroup(f"“{group.title}” was split off from that group. Undo the split instead.")
        part = part.split_by.group
