"""What is called compatible can be read: no event that the old schema allows is refused by the new one."""

from collections import Counter

import jsonschema_rs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eventhub.schemas.compatibility import Level, differences, judge
from eventhub.schemas.defaults import fill_defaults
from tests.schemas.compatibility.any_schema import changed, documents, instances

CASES = 2_000
EVENTS_A_CASE = 6
quick = settings(
    max_examples=CASES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    deadline=None,
)
seen = Counter()


def is_compatible(old, new):
    return all(one.is_compatible for one in differences(old, new))


@quick
@given(st.data())
def _compatible_is_never_contradicted(data):
    old = data.draw(documents())
    new = data.draw(changed(old))
    seen["cases"] += 1
    if not is_compatible(old, new):
        return
    seen["compatible"] += 1
    seen["changed and compatible"] += old != new
    fits_old, fits_new = (jsonschema_rs.validator_for(one, validate_formats=True) for one in (old, new))
    for _ in range(EVENTS_A_CASE):
        event = data.draw(instances(old, old))
        if fits_old.is_valid(event):
            seen["events"] += 1
            read = fill_defaults(new, event)
            assert fits_new.is_valid(read), [str(e) for e in fits_new.iter_errors(read)]


@pytest.mark.slow
def test_what_is_called_compatible_is_never_contradicted_by_an_event():
    seen.clear()
    _compatible_is_never_contradicted()
    # The property says nothing where nothing was compatible: most cases must have been.
    assert seen["cases"] >= CASES
    assert seen["changed and compatible"] >= CASES / 5
    assert seen["events"] >= CASES


@settings(quick, max_examples=300)
@given(documents())
def test_a_schema_is_compatible_with_itself(schema):
    assert [one for one in differences(schema, schema) if not one.is_compatible] == []


@settings(quick, max_examples=300)
@given(st.data())
def test_forward_is_backward_with_the_sides_changed(data):
    old = data.draw(documents())
    new = data.draw(changed(old))
    backward = judge(Level.BACKWARD, old, [("1", new)]).is_compatible
    assert judge(Level.FORWARD, new, [("1", old)]).is_compatible == backward
