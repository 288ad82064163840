import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventhub.demo.envelope import Draft, ShopEvent, Speech, Unreadable, encode, first_event, follow_up, read
from eventhub.demo.faults import BROKEN_KINDS, broken, changed
from eventhub.events.decoding import decode
from eventhub.events.envelope import Undecodable
from eventhub.events.message import Message

AT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
CAUSE = first_event(
    Draft("order.placed", {"order_id": "1"}), service="storefront", at=AT, correlation_id="c1"
)
EVENT = follow_up(
    CAUSE, Draft("payment.authorized", {"order_id": "1"}, "payment-1", 1), service="payment", at=AT
)


def as_hub_reads(body: bytes, headers: dict[str, str]):
    return decode(
        Message(body=body, topic="t", offset="1-0", origin_key="redis:t/1-0", headers=headers, timestamp=AT)
    )


@pytest.mark.parametrize("speech", Speech)
def test_eventhub_reads_the_same_from_both_envelopes(speech):
    event = as_hub_reads(*encode(EVENT, speech))
    assert (event.event_id, event.event_type, event.event_version) == (
        EVENT.event_id,
        "payment.authorized",
        "1",
    )
    assert event.occurred_at == AT
    assert event.source == "payment"
    assert (event.correlation_id, event.causation_id) == ("c1", CAUSE.event_id)
    assert (event.stream, event.stream_version) == ("payment-1", 1)
    assert event.data == '{"order_id":"1"}'


TEXTS = st.text(min_size=1, max_size=20)


@given(
    st.builds(
        ShopEvent,
        event_id=TEXTS,
        event_type=TEXTS,
        at=st.datetimes(timezones=st.just(UTC)).map(
            lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
        ),
        data=st.dictionaries(TEXTS, TEXTS | st.integers(-(2**53), 2**53)),
        service=TEXTS,
        event_version=TEXTS,
        correlation_id=st.none() | TEXTS,
        causation_id=st.none() | TEXTS,
        stream=st.none() | TEXTS,
        stream_version=st.none() | st.integers(1, 2**31),
        attempt=st.just(1),
        is_retry=st.just(False),
    ),
    st.sampled_from(Speech),
)
def test_a_service_reads_what_another_wrote(event, speech):
    assert read(*encode(event, speech)) == event


@pytest.mark.parametrize("kind", BROKEN_KINDS)
def test_neither_the_services_nor_eventhub_can_read_a_broken_message(kind):
    body = broken(kind, encode(EVENT, Speech.NATIVE)[0])
    with pytest.raises(Unreadable):
        read(body, {})
    with pytest.raises(Undecodable):
        as_hub_reads(body, {})


@given(st.binary(max_size=200))
def test_no_bytes_make_a_service_stumble(body):
    with contextlib.suppress(Unreadable):
        read(body, {})


def test_a_changed_duplicate_has_the_same_id_and_other_data():
    body, headers = encode(EVENT, Speech.CLOUDEVENTS)
    other = read(changed(body), headers)
    assert other.event_id == EVENT.event_id
    assert other.data != EVENT.data
