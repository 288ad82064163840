"""Names in the imperative, whatever style they are written in, and what they should be called."""

import pytest

from monitoring.review.english.judging import better, judge
from monitoring.review.models import Exemption, Word
from tests.traces.building import event, store


@pytest.mark.django_db
def test_a_command_is_found_with_the_name_it_should_have(reviewed):
    store(
        *(event(f"i{n}", "billing.send_invoice", source="billing") for n in range(3)),
        event("p", "order.placed", source="shop"),
        txid=10,
    )
    [finding] = reviewed("event-as-command")
    assert (finding.service, finding.subject, finding.n) == ("billing", "billing.send_invoice", 3)
    assert finding.title == "billing sends commands dressed as events: billing.send_invoice"
    assert "invoice.sent" in finding.advice
    assert finding.evidence[0]["href"] == "/event-types/billing.send_invoice/"
    assert {proof["label"] for proof in finding.evidence[1:]} == {"i0", "i1", "i2"}


@pytest.mark.django_db
def test_exceptions_and_words_of_the_team_are_kept_to(reviewed):
    store(event("a", "legacy.send_invoice"), event("b", "guest.ghost"), event("c", "order.yeet"), txid=10)
    assert [one.subject for one in reviewed("event-as-command")] == ["legacy.send_invoice"]
    Exemption.objects.create(pattern="legacy.*", reason="goes next year")
    Word.objects.create(word="yeet", kind="command")
    assert [one.subject for one in reviewed("event-as-command")] == ["order.yeet"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("SendEmailToUser", "EmailToUserSent"),
        ("create_invoice", "invoice_created"),
        ("billing.send_invoice", "invoice.sent"),
        ("order.cancel", "order.cancelled"),
        ("shop.ship-order", "order.shipped"),
        ("notifyCustomer", "customerNotified"),
        ("com.acme.orders.CreateOrder", "com.acme.orders.OrderCreated"),
    ],
)
def test_the_proposed_name_is_in_the_past_tense_and_the_style_of_the_name(name, said):
    assert better(name, judge(name)) == said
