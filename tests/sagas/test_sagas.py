import time

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from eventhub.access.audit import Actor
from eventhub.access.models import AuditEntry
from eventhub.handlers import PermanentError, Retry, TemporaryError, running
from eventhub.sagas import Step, Together, control, declaring, driving, listening, saga, steps
from eventhub.sagas.models import Instance
from eventhub.sagas.starting import start
from eventhub.sagas.steps import At, StepState
from eventhub.sourcing.appending import New, append
from tests.sagas.conftest import run

pytestmark = pytest.mark.django_db(transaction=True)
ANN = Actor("ann")
NO = PermanentError("no")
LATER = TemporaryError("busy")


def declare(*of_steps, name="order", **options):
    saga(name, **options)(type("Declared", (), {"steps": of_steps, "__doc__": "A test."}))
    listening.connect()


def there() -> Instance:
    return Instance.objects.get(key="o-1")


def stands() -> dict[str, str]:
    return {name: state["at"] for name, state in there().steps.items()}


def test_the_steps_run_in_order_and_each_sees_what_came_before(did):
    seen = {}

    def ship(saga):
        seen.update(saga.results, total=saga.data["total"])
        saga.data["parcel"] = "P-1"

    declare(Step("reserve", did.step("reserved")), Step("ship", ship), Step("mail", did.step("mailed")))
    start("order", "o-1", {"total": 12})
    run()
    assert did.all() == ["reserved", "mailed"]
    assert (there().state, there().data) == ("completed", {"total": 12, "parcel": "P-1"})
    assert seen == {"reserve": "reserved result", "ship": None, "mail": None, "total": 12}
    assert [entry.what for entry in there().history.all()] == ["done", "done", "done", "completed"]


def test_a_failure_undoes_what_was_done_the_last_first(did):
    declare(
        Step("reserve", did.step("reserved"), compensate=did.step("released")),
        Step("log", did.step("logged")),
        Step("pay", did.step("paid"), compensate=did.step("refunded")),
        Step("ship", did.step("shipped", NO), compensate=did.step("called back")),
    )
    start("order", "o-1")
    run()
    assert did.all() == ["reserved", "logged", "paid", "refunded", "released"]
    assert (there().state, there().reason) == ("compensated", "ship: no")
    assert stands() == {
        "reserve": "compensated",
        "log": "compensated",
        "pay": "compensated",
        "ship": "failed",
    }


def test_a_step_is_tried_again_and_what_a_failed_attempt_wrote_is_taken_back(did):
    declare(Step("pay", did.step("paid", LATER, times=2), retry=Retry(max_attempts=3, base=0)))
    start("order", "o-1")
    run()
    assert did.all() == ["paid"]
    assert (there().state, there().steps["pay"]["attempts"]) == ("completed", 3)


def test_a_step_waits_for_its_time_between_attempts(did):
    declare(Step("pay", did.step("paid", TemporaryError("busy", retry_after_s=60), times=1)))
    start("order", "o-1")
    run(hurry=False)
    assert (there().state, did.all()) == ("running", [])
    assert driving.drive_batch() == 0
    run()
    assert did.all() == ["paid"]


def test_steps_together_do_not_wait_for_each_other(did):
    declare(
        Together(
            Step("pay", did.step("paid", TemporaryError("busy", retry_after_s=60), times=1)),
            Step("pack", did.step("packed")),
        ),
        Step("ship", did.step("shipped")),
    )
    start("order", "o-1")
    run(hurry=False)
    assert did.all() == ["packed"]
    run()
    assert did.all() == ["packed", "paid", "shipped"]


def test_a_step_waits_for_the_event_with_its_correlation_id(did):
    declare(
        Step("ask", did.step("asked"), waits_for=("shipment.created",), compensate=did.step("called back")),
        Step("mail", did.step("mailed")),
    )
    start("order", "o-1")
    run()
    assert (stands(), there().due_at is not None) == ({"ask": "waiting", "mail": "pending"}, True)
    append("shipment-1", New("shipment.created", {"parcel": "P-9"}), correlation_id="somebody else")
    append("shipment-2", New("shipment.created", {"parcel": "P-1"}), correlation_id="o-1")
    while running.run("saga-order"):
        pass
    run()
    assert there().state == "completed"
    assert there().steps["ask"]["result"] == {"parcel": "P-1"}
    assert did.all() == ["asked", "mailed"]


def test_an_event_that_comes_before_the_step_waits_is_not_lost(did):
    declare(Step("ask", did.step("asked"), waits_for=("a.b",)))
    start("order", "o-1")
    append("x-1", New("a.b"), correlation_id="o-1")
    while running.run("saga-order"):
        pass
    run()
    assert there().state == "completed"


def test_an_answer_that_says_no_undoes_what_was_done_before(did):
    declare(
        Step("reserve", did.step("reserved"), compensate=did.step("released")),
        Step(
            "pay",
            did.step("asked"),
            waits_for=("paid",),
            fails_on=("declined",),
            compensate=did.step("refunded"),
        ),
    )
    start("order", "o-1")
    run()
    append("x-1", New("declined"), correlation_id="o-1")
    while running.run("saga-order"):
        pass
    run()
    assert did.all() == ["reserved", "asked", "released"]
    assert there().reason == "pay: declined came"


def test_an_answer_that_never_comes_times_out_and_what_was_asked_for_is_undone(did):
    declare(
        Step("reserve", did.step("reserved"), compensate=did.step("released")),
        Step("pay", did.step("asked"), waits_for=("paid",), wait_s=0.05, compensate=did.step("refunded")),
    )
    start("order", "o-1")
    run(hurry=False)
    time.sleep(0.06)
    run(hurry=False)
    assert did.all() == ["reserved", "asked", "refunded", "released"]
    assert "None of paid came" in there().reason


def test_a_step_that_takes_too_long_is_interrupted(did):
    declare(Step("slow", lambda saga: time.sleep(5), timeout_s=0.05, retry=Retry(max_attempts=1)))
    start("order", "o-1")
    run()
    assert there().state == "compensated"
    assert "timeout" in there().reason


def test_an_event_starts_an_instance_and_the_same_event_starts_no_second(did):
    declare(Step("reserve", did.step("reserved")), starts_on="order.placed")
    append("order-1", New("order.placed", {"total": 5}), correlation_id="o-1")
    append("order-1", New("order.placed", {"total": 5}), correlation_id="o-1")
    while running.run("saga-order"):
        pass
    run()
    assert (there().data, did.all()) == ({"total": 5}, ["reserved"])


def test_an_instance_finishes_on_the_version_it_began_with(did):
    declare(Step("old", did.step("old"), waits_for=("go",)), Step("old end", did.step("old end")))
    start("order", "o-1")
    run()
    saga("order", version=2)(type("Second", (), {"steps": (Step("new", did.step("new")),)}))
    start("order", "o-2")
    append("x-1", New("go"), correlation_id="o-1")
    while running.run("saga-order"):
        pass
    run()
    assert (did.all("o-1"), did.all("o-2")) == (["old", "old end"], ["new"])


def test_an_instance_whose_version_is_gone_from_the_code_waits_and_says_so(did):
    declare(Step("a", did.step("a")))
    start("order", "o-1")
    declared = declaring._declared.pop(("order", 1))
    run(hurry=False)
    assert (there().state, "not in the code" in there().reason) == ("running", True)
    declaring._declared["order", 1] = declared
    run()
    assert there().state == "completed"


def test_what_cannot_be_undone_waits_for_a_person_who_retries_or_skips(did):
    declare(
        Step("a", did.step("a"), compensate=did.step("undo a")),
        Step("b", did.step("b"), compensate=did.step("undo b", NO, times=2)),
        Step("c", did.step("c", NO)),
    )
    start("order", "o-1")
    run()
    assert there().state == "parked"
    with pytest.raises(control.NotPossible, match="not what is being undone"):
        control.retry_step(there().pk, "a", ANN)
    control.retry_step(there().pk, "b", ANN)
    run()
    assert there().state == "parked"
    control.skip_step(there().pk, "b", ANN)
    run()
    assert there().state == "compensated"
    assert did.all() == ["a", "b", "undo a"]
    assert [entry.action for entry in AuditEntry.objects.order_by("id")] == ["retry", "skip"]
    with pytest.raises(control.NotPossible, match="nothing can be changed"):
        control.compensate(there().pk, ANN)


def test_a_step_that_parks_waits_for_a_person_instead_of_undoing(did):
    declare(
        Step("a", did.step("a"), compensate=did.step("undo a")),
        Step("b", did.step("b", NO, times=1), parks=True),
        Step("c", did.step("c")),
    )
    start("order", "o-1")
    run()
    assert (there().state, did.all()) == ("parked", ["a"])
    control.retry_step(there().pk, "b", ANN)
    run()
    assert (there().state, did.all()) == ("completed", ["a", "b", "c"])


def test_a_person_compensates_what_still_waits(did):
    declare(
        Step("a", did.step("a"), compensate=did.step("undo a")),
        Step("b", did.step("b"), waits_for=("never",), compensate=did.step("undo b")),
    )
    start("order", "o-1")
    run()
    control.compensate(there().pk, ANN)
    run()
    assert did.all() == ["a", "b", "undo b", "undo a"]
    assert there().reason == "Compensated by ann."


def test_a_crash_in_a_step_leaves_nothing_half_done(did, monkeypatch):
    declare(Step("a", did.step("a")), Step("b", did.step("b", KeyboardInterrupt(), times=1)))
    start("order", "o-1")
    with pytest.raises(KeyboardInterrupt):
        driving.drive_batch()
    assert did.all() == []
    run()
    assert did.all() == ["a", "b"]


def test_a_saga_stands_and_falls_with_the_transaction_it_is_started_in(did):
    declare(Step("a", did.step("a")))
    with transaction.atomic():
        start("order", "o-1")
        transaction.set_rollback(True)
    assert not Instance.objects.exists()
    assert start("order", "o-1").pk == start("order", "o-1").pk


def test_a_declaration_that_makes_no_sense_is_refused():
    for words, of_steps in [
        ("needs steps", ()),
        ("same name", (Step("a", print), Step("a", print))),
        ("neither does nor waits", (Step("a"),)),
    ]:
        with pytest.raises(ValueError, match=words):
            declare(*of_steps)
    with pytest.raises(LookupError, match="no saga 'nothing'"):
        start("nothing", "o-1")


@given(st.lists(st.tuples(st.sampled_from(list(At)), st.integers(0, 9)), min_size=1, max_size=8))
def test_what_took_effect_last_is_undone_first(kept):
    definition = declaring.Definition(
        "x", 1, tuple((Step(f"s{n}", print),) for n in range(len(kept))), (), ""
    )
    states = {f"s{n}": StepState(at=at, order=order) for n, (at, order) in enumerate(kept)}
    undone = []
    while (step := steps.to_undo(definition, states)) is not None:
        undone.append(states[step.name].order)
        states[step.name].at = At.COMPENSATED
    assert undone == sorted((order for at, order in kept if at in (At.DONE, At.WAITING)), reverse=True)
