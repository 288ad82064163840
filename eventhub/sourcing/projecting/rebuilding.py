"""Making projections, keeping them up, and rebuilding one beside the live copy.

A rebuild fills a second table from the beginning while the live one goes on being followed and read. When it has caught
up, the two are swapped in one transaction, and the old one is dropped.
"""

from collections.abc import Iterable
from time import monotonic

from django.db import connection, transaction
from django.utils import timezone

from eventhub.access import audit
from eventhub.access.audit import SYSTEM, Actor
from eventhub.sourcing.models import Checkpoint, Projection, ProjectionState
from eventhub.sourcing.projecting import columns, declaring, following
from eventhub.sourcing.projecting.declaring import Declared

# A swap waits no longer than this for somebody who reads the old table.
SWAP_WAITS_MS = 2_000


class NoSuchProjection(LookupError):
    """The code declares no projection of this name. The text says which there are."""


class NotStopped(Exception):
    """Only a projection that is stopped at an event can skip it."""


def find(name: str) -> tuple[Declared, Projection]:
    """A declared projection and its row, made where it is new. Raises NoSuchProjection."""
    known = declaring.declared()
    if name not in known:
        there = f"There are: {', '.join(sorted(known))}." if known else "There are none."
        raise NoSuchProjection(f"There is no projection {name!r}. {there}")
    return known[name], ensure(known[name])


def ensure(declared: Declared) -> Projection:
    """The row of a projection, with its table and checkpoints. A new version of the code begins a rebuild."""
    found = Projection.objects.filter(name=declared.name).first()
    if found is None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"projection {declared.name}"])
            found, is_new = Projection.objects.get_or_create(
                name=declared.name, defaults={"code_version": declared.version}
            )
            if is_new:
                _make(declared, found, is_next=False)
    if found.code_version != declared.version and not found.rebuilding:
        rebuild(declared, SYSTEM)
        found.refresh_from_db()
    return found


@transaction.atomic
def rebuild(declared: Declared, actor: Actor) -> None:
    """Begin to fill a second copy from the first event on; one that is under way begins anew."""
    row = Projection.objects.select_for_update().get(name=declared.name)
    row.checkpoints.filter(is_next=True).delete()
    _make(declared, row, is_next=True)
    row.rebuilding, row.rebuild_began_at = True, timezone.now()
    row.save()
    audit.record(actor, "rebuild", f"projection {declared.name}", version=declared.version)


def follow(declared: Declared, for_s: float = 2.0, batch: int = following.BATCH) -> int:
    """Take in what there is, live copy and rebuild, for about `for_s` seconds. How many events were taken in."""
    return sum(_steps(declared, ensure(declared), monotonic() + for_s, batch))


def follow_partition(declared: Declared, partition: int, for_s: float = 2.0) -> int:
    """As `follow`, of the live copy and one partition alone: for workers that share a projection."""
    row = ensure(declared)
    until, total = monotonic() + for_s, 0
    for checkpoint in row.checkpoints.filter(is_next=False, partition=partition):
        while (done := following.step(declared, checkpoint.pk)).is_more and monotonic() < until:
            total += done.events
        total += done.events
    return total


def swap_if_caught_up(declared: Declared) -> bool:
    """Make the rebuilt copy the live one, when it has caught up with it; whether it did."""
    with transaction.atomic():
        row = Projection.objects.select_for_update().get(name=declared.name)
        if not row.rebuilding:
            return False
        live = list(row.checkpoints.select_for_update().filter(is_next=False))
        coming = list(row.checkpoints.select_for_update().filter(is_next=True))
        if any(one.state != ProjectionState.RUNNING for one in coming):
            return False
        for one in coming:
            if following.advance_locked(declared, one).is_more:
                return False
            one.refresh_from_db()
            if one.state != ProjectionState.RUNNING:
                return False
        # Readers must not see it go back behind what they have seen.
        reached = max(((one.txid, one.position) for one in live), default=(0, 0))
        if row.code_version == declared.version and any(one.txid < reached[0] for one in coming):
            return False
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = {SWAP_WAITS_MS}")
            cursor.execute(f'DROP TABLE IF EXISTS "{declared.table}"')
            cursor.execute(f'ALTER TABLE "{declared.table}{following.NEXT}" RENAME TO "{declared.table}"')
        row.checkpoints.filter(is_next=False).delete()
        row.checkpoints.filter(is_next=True).update(is_next=False)
        row.rebuilding, row.code_version, row.swapped_at = False, declared.version, timezone.now()
        row.save()
    return True


@transaction.atomic
def change_state(name: str, verb: str, actor: Actor) -> None:
    """`pause`, `resume` (tries the event that it is stopped at again), `skip` (goes on behind that event) or `rebuild`.

    Raises NoSuchProjection and NotStopped.
    """
    declared, row = find(name)
    if verb == "rebuild":
        rebuild(declared, actor)
        return
    checkpoints = list(row.checkpoints.select_for_update())
    stopped = [one for one in checkpoints if one.state == ProjectionState.POISONED]
    if verb == "skip":
        if not stopped:
            raise NotStopped(f"{declared.name} is stopped at no event: there is nothing to skip.")
        for one in stopped:
            one.txid, one.position = one.poison_txid or one.txid, one.poison_position or one.position
    for one in stopped if verb == "skip" else checkpoints:
        audit.record(
            actor,
            verb,
            f"projection {name}",
            partition=one.partition,
            event=one.poison_event_id,
            txid=one.txid,
        )
        one.state = ProjectionState.PAUSED if verb == "pause" else ProjectionState.RUNNING
        if verb != "pause":
            one.poison_event_id = one.poison_event_type = one.poison_error = ""
            one.poison_txid = one.poison_position = None
        one.save()


def _steps(declared: Declared, row: Projection, until: float, batch: int) -> Iterable[int]:
    is_current = row.code_version == declared.version
    open_ones = list(row.checkpoints.filter(state=ProjectionState.RUNNING))
    # Code of a new version cannot follow with the old table: it stays as it is until the rebuilt one takes its place.
    at_work = [one.pk for one in open_ones if one.is_next or is_current]
    while at_work and monotonic() < until:
        for pk in list(at_work):
            done = following.step(declared, pk, batch)
            yield done.events
            if not done.is_more:
                at_work.remove(pk)
    if row.rebuilding and not at_work:
        swap_if_caught_up(declared)


def _make(declared: Declared, row: Projection, *, is_next: bool) -> None:
    table = following.table_of(declared, is_next=is_next)
    with connection.cursor() as cursor:
        cursor.execute(f'DROP TABLE IF EXISTS "{table}"')
        for statement in columns.create(table, declared.row, declared.indexes):
            cursor.execute(statement)
    Checkpoint.objects.bulk_create(
        Checkpoint(projection=row, partition=n, is_next=is_next) for n in range(declared.partitions)
    )
