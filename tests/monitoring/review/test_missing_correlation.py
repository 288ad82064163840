"""Correlation that is missing, broken, or points nowhere; the service where the chain breaks is named."""

import pytest

from monitoring.review.models import Severity
from tests.traces.building import event, store

pytestmark = pytest.mark.django_db


def orders(count, **fields):
    return [event(f"o{n}", correlation_id=f"c{n}", source="shop") for n in range(count)]


def test_a_service_that_drops_the_ids_is_named_with_its_share_and_its_events(reviewed):
    store(*orders(10), txid=10)
    store(
        *(
            event(f"r{n}", "recommendation.updated", source="recommendation", correlation_id=None)
            for n in range(6)
        ),
        *(
            event(f"s{n}", "recommendation.shown", source="recommendation", correlation_id=f"c{n}")
            for n in range(2)
        ),
        txid=11,
    )
    [finding] = reviewed("missing-correlation")
    assert (finding.service, finding.n, finding.of) == ("recommendation", 6, 8)
    assert finding.severity == Severity.BROKEN
    assert "recommendation.updated" in finding.detail
    assert {proof["label"] for proof in finding.evidence} <= {f"r{n}" for n in range(6)}
    assert finding.evidence[0]["href"] == f"/events/{finding.evidence[0]['label']}/"


def test_a_service_that_passes_on_what_it_got_without_is_not_named(reviewed):
    store(*(event(f"a{n}", "a.done", source="first", correlation_id=None) for n in range(5)), txid=10)
    store(
        *(
            event(f"b{n}", "b.done", 1, source="second", correlation_id=None, causation_id=f"a{n}")
            for n in range(5)
        ),
        txid=11,
    )
    assert [finding.service for finding in reviewed("missing-correlation")] == ["first"]


def test_one_odd_event_of_many_is_no_flaw(reviewed):
    store(*orders(400), event("odd", "order.noted", correlation_id=None), txid=10)
    assert reviewed("missing-correlation") == []


def caused(prefix, name, service, correlation, cause):
    return [
        event(
            f"{prefix}{n}",
            name,
            1,
            source=service,
            correlation_id=f"{correlation}{n}",
            causation_id=f"{cause}{n}",
        )
        for n in range(5)
    ]


def test_chains_that_change_their_id_and_causes_that_nobody_published(reviewed):
    store(*orders(5), txid=10)
    store(
        *caused("p", "payment.taken", "payment", "x", "o"),
        *caused("e", "mail.sent", "mail", "c", "ghost"),
        txid=11,
    )
    assert [(finding.service, finding.subject, finding.n) for finding in reviewed("missing-correlation")] == [
        ("mail", "causation id", 5),
        ("payment", "chain", 5),
    ]


def test_a_cause_that_comes_after_all_is_no_flaw(reviewed):
    store(*caused("e", "mail.sent", "mail", "c", "late"), txid=10)
    assert len(reviewed("missing-correlation")) == 1
    store(*(event(f"late{n}", correlation_id=f"c{n}") for n in range(5)), txid=11)
    assert reviewed("missing-correlation") == []
