"""What EventHub itself has not read yet stands on the Lag page and in /metrics, as for any consumer."""

import pytest
from django.db import transaction

from eventhub.outbox.models import OutboxMessage
from eventhub.outbox.publishing import publish
from eventhub.sourcing.appending import New, append
from eventhub.sourcing.projecting import rebuilding
from monitoring.exposition import families, render
from monitoring.lag import inside
from tests.sourcing.balances import balances_declared

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def balances():
    with balances_declared() as declared:
        yield declared


def test_a_projection_that_is_behind_shows_by_how_much(admin_client, balances):
    rebuilding.ensure(balances)
    for amount in (1, 2, 3):
        append("account-1", New("account.moved", {"amount": amount}))
    (row,) = [one for one in inside.readers() if one.name == "balances"]
    assert (row.behind, row.state, row.is_more) == (3, "follows", False)
    page = admin_client.get("/lag/").content.decode()
    assert "Inside EventHub" in page
    assert 'eventhub_projection_behind_events{projection="balances"} 3.0' in render(
        families(), openmetrics=False
    )
    rebuilding.follow(balances)
    assert next(one for one in inside.readers() if one.name == "balances").behind == 0


def test_the_outbox_shows_while_something_waits_in_it(admin_client):
    assert [one for one in inside.readers() if one.name == "outbox"] == []
    with transaction.atomic():
        publish("shop.orders", {"order_id": 1})
    (row,) = [one for one in inside.readers() if one.name == "outbox"]
    assert (row.behind, row.level) == (1, "ok")
    OutboxMessage.objects.update(attempts=2)
    assert next(one for one in inside.readers() if one.name == "outbox").state == "1 refused"
    assert "eventhub_outbox_waiting 1.0" in render(families(), openmetrics=False)
    assert "1 refused" in admin_client.get("/lag/").content.decode()
