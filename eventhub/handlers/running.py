"""What a worker does when it is a handler's turn: claim, work off, again, until nothing is due or its time is up."""

import logging
from collections.abc import Collection
from datetime import timedelta
from itertools import count
from time import monotonic

from django.db import Error, connection, transaction
from django.utils import timezone

from eventhub.handlers import breaker, claiming, ordering, pace, registry
from eventhub.handlers.attempting import ConnectionLost
from eventhub.handlers.breaker import Circuit, Standing
from eventhub.handlers.claiming import Claim
from eventhub.handlers.models import Handler
from eventhub.handlers.registry import Subscription
from eventhub.handlers.slots import slot
from eventhub.handlers.working import Worked, work_off
from eventhub.running.stopping import is_asked

log = logging.getLogger(__name__)


def run(name: str, turn_s: float = 2.0, known: Collection[int] = ()) -> bool:
    """Run deliveries of the handler `name` for about `turn_s` seconds; whether there may be more that are due.

    `known`: its slots of which it is known that other workers have them. Must not run inside a transaction. Raises
    django.db.Error when the database is out of reach.
    """
    subscription = registry.subscriptions().get(name)
    row = Handler.objects.filter(name=name).first()
    if subscription is None or row is None:
        # Another version of the code wrote them. Who has the handler will run it.
        log.warning("%s is not declared here; its deliveries wait for a worker that knows it", name)
        return False
    with slot(row.pk, subscription.concurrency, known) as has_room:
        return has_room and _run(subscription, row.pk, monotonic() + turn_s)


def _run(subscription: Subscription, handler_id: int, until: float) -> bool:
    for turn in count():
        if monotonic() >= until or is_asked():
            return True
        row = Handler.objects.filter(pk=handler_id).first()
        if row is None or not row.enabled or row.paused:
            return False
        if row.standing.circuit is not Circuit.CLOSED:
            return _probe(subscription, row)
        claim = _claim(
            subscription,
            handler_id,
            pace.room(subscription.name, subscription.batch),
            lost_first=turn % 2 == 0,
        )
        if claim is None:
            return False
        _work_off(subscription, row, claim)
    raise AssertionError  # count() does not end


def _claim(subscription: Subscription, handler_id: int, limit: int, *, lost_first: bool) -> Claim | None:
    """Deliveries, those that workers were lost with in turn with the others."""
    # Those noted as lost by the claim of the others come last in any case.
    for kind in [_claim_lost, _claim_fresh, _claim_lost] if lost_first else [_claim_fresh, _claim_lost]:
        if claim := kind(subscription, handler_id, limit):
            return claim
    return None


def _claim_fresh(subscription: Subscription, handler_id: int, limit: int) -> Claim | None:
    claim = claiming.claim if subscription.order_by is None else ordering.claim
    return claim(handler_id, limit)


def _claim_lost(subscription: Subscription, handler_id: int, limit: int) -> Claim | None:
    return claiming.claim_lost(handler_id)


def _work_off(subscription: Subscription, row: Handler, claim: Claim) -> None:
    worked = None
    try:
        worked = work_off(subscription, row.pk, claim)
    except ConnectionLost as error:
        log.warning("%s: the database went away, the batch is run again: %s", subscription.name, error)
        connection.close()
    finally:
        if worked is None or worked.left:
            _release(claim)
    if worked is not None:
        done = 1 if worked.is_conflict else len(worked.ran)
        is_cut_short = worked.is_conflict or worked.is_late
        pace.note(subscription.name, subscription.batch, done=done, is_cut_short=is_cut_short)
        _tell_breaker(subscription, row, worked)


def _release(claim: Claim) -> None:
    try:
        claiming.release(claim)
    except Error as error:
        log.warning("deliveries in hand are free again in %d s: %s", claiming.LEASE_S, error)
        connection.close()


def _probe(subscription: Subscription, row: Handler) -> bool:
    """Run one delivery, if it is time to, and if nobody else does."""
    now = timezone.now()
    longest = timedelta(seconds=subscription.timeout_s + claiming.LEASE_S)
    if subscription.breaker is None:
        _store(row.pk, Standing(), "")
        return True
    if not breaker.may_probe(row.standing, now):
        return False
    claim = _claim(subscription, row.pk, 1, lost_first=False)
    if claim is None:
        return False
    probe = breaker.probing(row.standing, now, longest)
    mine = Handler.objects.filter(pk=row.pk, circuit=row.circuit, probe_at=row.probe_at).update(
        circuit=probe.circuit, probe_at=probe.probe_at
    )
    if not mine:
        claiming.release(claim)
        return False
    _work_off(subscription, row, claim)
    return Handler.objects.filter(pk=row.pk, circuit=Circuit.CLOSED).exists()


def _tell_breaker(subscription: Subscription, row: Handler, worked: Worked) -> None:
    """Tell the breaker how attempts ended. Costs nothing while all goes well, or fails now and then."""
    if (
        breaker.after(subscription.breaker, row.standing, worked.ran, timezone.now())
        == row.standing
        == Standing()
    ):
        return
    with transaction.atomic():
        before = Handler.objects.select_for_update().get(pk=row.pk)
        standing = breaker.after(subscription.breaker, before.standing, worked.ran, timezone.now())
        if standing == before.standing:
            return
        told = before.opened_by
        if standing.circuit is Circuit.CLOSED:
            told = ""
        elif before.standing.circuit is Circuit.CLOSED and (failure := worked.last_failure):
            told = f"{failure.error_class}: {failure.message}"[:1000]
            log.warning("%s is stopped, %d failed in a row: %s", subscription.name, standing.failures, told)
        _store(row.pk, standing, told)


def _store(handler_id: int, standing: Standing, opened_by: str) -> None:
    Handler.objects.filter(pk=handler_id).update(
        circuit=standing.circuit,
        failures=standing.failures,
        failed_probes=standing.failed_probes,
        opened_at=standing.opened_at,
        probe_at=standing.probe_at,
        opened_by=opened_by,
    )
