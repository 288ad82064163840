import time

from hypothesis import given
from hypothesis import strategies as st

from eventhub.handlers import pace, running
from tests.handlers.conftest import placed


def test_who_got_in_the_way_of_another_takes_one_at_a_time_and_grows_slowly():
    pace.forget()
    pace.note("ship", 50, done=1, is_cut_short=True)
    assert pace.room("ship", 50) == 1
    for _ in range(51):
        pace.note("ship", 50, done=1, is_cut_short=False)
    assert pace.room("ship", 50) == 2
    assert pace.room("bill", 50) == 50, "others are not concerned"
    for _ in range(2_500):
        pace.note("ship", 50, done=pace.room("ship", 50), is_cut_short=False)
    assert pace.room("ship", 50) == 50
    pace.forget()


def test_a_slow_handler_is_given_as_many_as_it_does_in_a_transaction(hub, handles, effects):
    @handles("order.placed")
    def ship(event):
        time.sleep(0.15)
        effects.add(event)

    hub.take(*[placed(n) for n in range(10)])
    hub.run("ship")
    assert sorted(effects.all()) == sorted(f"evt-{n}" for n in range(10))
    assert 3 <= pace.room("ship", 50) <= 5


def test_a_claim_that_is_not_full_says_nothing(hub, handles, effects):
    @handles("order.placed")
    def ship(event):
        effects.add(event)

    pace.note("ship", 50, done=4, is_cut_short=True)
    hub.take(*[placed(n) for n in range(3)])
    running.run("ship")
    assert pace._Learned.room["ship"] == 4


@given(
    st.integers(1, 50),
    st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=50),
)
def test_there_is_always_room_for_one_and_never_for_more_than_the_batch(batch, claims):
    room = float(batch)
    for done, is_cut_short in claims:
        before = room
        room = pace.after_claim(before, batch, done=min(done, int(before)), is_cut_short=is_cut_short)
        assert 1 <= room <= batch
        assert room <= before if is_cut_short else room >= before
