"""Old events as readers of newer versions want them, without a change of what is stored."""

import pytest

from eventhub.schemas.models import EventType, SchemaStatus, SchemaVersion
from eventhub.schemas.upcasting.catalogue import CannotUpcast, Upcasters, apply, step_of

pytestmark = pytest.mark.django_db
TO_2 = {
    "expression": "{customer: {id: customer_id, email: email}, total: total}",
    "defaults": {"currency": "EUR"},
}
TO_3 = {"defaults": {"customer": {"is_company": False}}}


@pytest.fixture
def upcasters():
    event_type = EventType.objects.create(name="order.placed")
    for version, upcast in (("1", None), ("2", TO_2), ("3", TO_3)):
        SchemaVersion.objects.create(
            event_type=event_type, version=version, status=SchemaStatus.ACTIVE, schema={}, upcast=upcast
        )
    return Upcasters()


def test_steps_are_chained_from_version_to_version(upcasters):
    old = {"customer_id": "c-1", "email": "a@b.c", "total": 7}
    assert upcasters.upcast("order.placed", "1", old, "3") == {
        "customer": {"id": "c-1", "email": "a@b.c", "is_company": False},
        "total": 7,
        "currency": "EUR",
    }
    assert old == {"customer_id": "c-1", "email": "a@b.c", "total": 7}


def test_an_event_of_the_wanted_version_is_left_as_it_is(upcasters):
    data = {"x": 1}
    assert upcasters.upcast("order.placed", "2", data, "2") is data


def test_an_event_without_a_version_is_of_the_first(upcasters):
    assert upcasters.upcast("order.placed", None, {"total": 1}, "2")["currency"] == "EUR"


@pytest.mark.parametrize(
    ("version", "wanted", "said"),
    [("3", "2", "newer"), ("9", "2", "no published version 9"), ("1", "9", "no published version 9")],
)
def test_where_there_is_no_way_it_says_so(upcasters, version, wanted, said):
    with pytest.raises(CannotUpcast, match=said):
        upcasters.upcast("order.placed", version, {}, wanted)


def test_a_step_that_fails_names_its_version():
    with pytest.raises(CannotUpcast, match="to version 2 fails"):
        apply([step_of("2", {"expression": "sum(total)"})], {"total": "x"})


@pytest.mark.parametrize("written", [7, {"expresion": ""}, {"expression": "{a"}, {"defaults": []}])
def test_what_is_no_upcast_is_refused(written):
    with pytest.raises(ValueError, match=r"upcast|JMESPath"):
        step_of("2", written)
