"""Versions and times: what is missing, jumps, changes unsaid, vanishes, and which clock is wrong."""

import pytest

from monitoring.models import SeenVersion
from monitoring.review.hosts import ahead_by_host
from monitoring.review.piece import next_piece
from tests.monitoring.review.many import many
from tests.traces.building import START, at, event, store

pytestmark = pytest.mark.django_db


# -- versions


def test_events_without_a_version_jumps_and_changed_shapes(reviewed):
    store(
        *many(5, "n", "mail.sent", source="mail", event_version=None),
        *many(5, "a", "order.placed", event_version="1"),
        *many(5, "b", "order.placed", event_version="4"),
        *many(5, "c", "cart.priced", data={"total": "12.90", "lines": []}),
        *many(5, "d", "cart.priced", data={"total": {"amount": "12.90"}, "lines": []}),
        *many(5, "e", "cart.emptied", data={"total": None}),
        *many(5, "f", "cart.emptied", data={"total": 1}),
        txid=10,
    )
    found = {(one.service, one.subject): one for one in reviewed("versions")}
    assert set(found) == {
        ("mail", "no version"),
        ("shop", "order.placed jumps"),
        ("shop", "cart.priced changes"),
    }
    assert "never 2, 3" in found["shop", "order.placed jumps"].detail
    assert "total is object or string" in found["shop", "cart.priced changes"].detail


def test_a_version_that_was_seen_before_closes_the_jump(reviewed):
    SeenVersion.objects.create(event_type="order.placed", version="2", first_seen_at=START)
    store(
        *many(3, "a", "order.placed", event_version="1"),
        *many(3, "b", "order.placed", event_version="3"),
        txid=10,
    )
    assert reviewed("versions") == []


def priced(first, count, **data):
    return [event(f"v{n}", "cart.priced", n, data=data) for n in range(first, first + count)]


def test_a_field_that_vanishes_under_one_version_is_found_with_events_before_and_after(reviewed):
    for txid, data in ((10, {"total": 1, "currency": "EUR"}), (11, {"total": 1, "currency": None})):
        store(*priced(txid * 100, 10, **data), txid=txid)
        assert reviewed("versions", txid) == []
    store(
        *priced(1150, 2, total=1, currency="EUR"), *priced(1160, 2, total=1), txid=12
    )  # as it is rolled out
    assert reviewed("versions", 40) == []
    store(*priced(1200, 12, total=1), txid=13)
    [finding] = reviewed("versions", 60)
    assert (finding.service, finding.subject, finding.n) == ("shop", "cart.priced loses fields", 12)
    assert finding.title == "shop drops currency from cart.priced and keeps its version"
    words = {proof["label"]: proof["words"] for proof in finding.evidence}
    assert "had it" in words.values()
    assert any(label.startswith("v12") and word == "has it no more" for label, word in words.items())


def test_a_field_that_comes_and_goes_and_one_that_leaves_with_its_version_are_none(reviewed):
    for txid in range(10, 40):
        optional = {"total": 1} | ({"coupon": "x"} if txid % 3 else {})
        store(*priced(txid * 100, 3, **optional), txid=txid)
        reviewed("versions", txid)
    store(*(event(f"w{n}", "cart.priced", n, event_version="2", data={"sum": 1}) for n in range(30)), txid=41)
    assert reviewed("versions", 60) == []


# -- time


def test_clocks_that_are_ahead_and_clocks_that_are_behind(reviewed):
    store(
        *(event(f"f{n}", "rec.made", n, source="rec", occurred_at=at(n + 300)) for n in range(4)),
        *(event(f"o{n}", "order.placed", n + 20) for n in range(4)),
        *(event(f"p{n}", "order.paid", n + 10, source="pay", causation_id=f"o{n}") for n in range(4)),
        txid=10,
    )
    assert [(one.service, one.subject) for one in reviewed("timestamps")] == [
        ("pay", "before the cause"),
        ("rec", "the future"),
    ]


def test_who_answers_a_clock_that_is_ahead_is_not_blamed(reviewed):
    store(
        *(event(f"f{n}", "rec.made", n, source="rec", occurred_at=at(n + 300)) for n in range(4)),
        *(event(f"p{n}", "rec.shown", n + 1, source="web", causation_id=f"f{n}") for n in range(4)),
        txid=10,
    )
    assert [one.service for one in reviewed("timestamps")] == ["rec"]


def test_events_without_a_time_of_their_own_are_told_with_their_types(reviewed):
    store(
        *many(4, "u", "fax.received", source="fax", is_undated=True),
        *many(4, "d", "fax.printed", source="fax"),
        *many(2, "few", "mail.read", source="mail", is_undated=True),
        *many(5, "t", "shop.orders.tombstone", source="cdc", is_undated=True),
        txid=10,
    )
    [finding] = reviewed("timestamps")
    assert (finding.service, finding.subject, finding.n, finding.of) == ("fax", "no time", 4, 8)
    assert "fax.received" in finding.detail
    assert {proof["label"] for proof in finding.evidence} <= {f"u{n}" for n in range(4)}


def test_the_host_whose_clock_is_ahead_is_named_and_the_others_are_right(reviewed):
    ahead = {"metadata": '{"host": "rec-2"}'}
    store(
        *(event(f"f{n}", "rec.made", n, source="rec", occurred_at=at(n + 300), **ahead) for n in range(4)),
        *(event(f"r{n}", "rec.made", n, source="rec", metadata='{"host": "rec-1"}') for n in range(40)),
        txid=10,
    )
    [finding] = reviewed("timestamps")
    assert (finding.subject, finding.n, finding.of) == ("the future on rec-2", 4, 4)
    assert "rec’s host rec-2" in finding.title
    assert "by 5 min" in finding.detail
    assert "The clocks of rec-1 are right." in finding.detail


def test_a_host_that_stamps_its_answers_before_they_were_asked_for_is_named(reviewed):
    behind = {"headers": '{"NServiceBus.OriginatingMachine": "PAY-7"}'}
    store(
        *(event(f"o{n}", "order.placed", n + 20) for n in range(8)),
        *(
            event(f"p{n}", "order.paid", n + 10, source="pay", causation_id=f"o{n}", **behind)
            for n in range(4)
        ),
        *(event(f"p{n}", "order.paid", n + 21, source="pay", causation_id=f"o{n}") for n in range(4, 8)),
        txid=10,
    )
    [finding] = reviewed("timestamps")
    assert (finding.service, finding.subject) == ("pay", "before the cause on PAY-7")
    assert (finding.n, finding.of) == (4, 4)


@pytest.mark.parametrize(
    ("place", "text", "host"),
    [
        ("metadata", '{"resource": {"host.name": "a1"}}', "a1"),
        ("metadata", '{"resource": {"attributes": {"host.name": "a2"}}}', "a2"),
        ("metadata", '{"k8s.pod.name": "shop-5d9"}', "shop-5d9"),
        ("metadata", '{"specversion": "1.0", "hostname": "ce-1"}', "ce-1"),
        ("headers", '{"MT-Host-MachineName": "MASS-1"}', "MASS-1"),
        ("headers", '{"origin": "gen4711@worker-3"}', "worker-3"),
        ("headers", '{"origin": "https://shop.example"}', ""),
        ("headers", '[["a", "1"], ["a", "2"]]', ""),
        ("metadata", "{}", ""),
    ],
)
def test_the_host_is_read_from_where_each_system_names_it(db, place, text, host):
    store(event("e", **{place: text}), txid=10)
    piece = next_piece((0, 0), 0)
    assert [one.host for one in ahead_by_host(piece, ["shop"], "5 seconds")] == [host]
