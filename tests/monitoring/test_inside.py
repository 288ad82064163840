"""What EventHub itself has not read yet stands on the Lag page and in /metrics, as for any consumer."""

import msgspec
import pytest
from django.db import connection, transaction

from eventhub.outbox.models import OutboxMessage
from eventhub.outbox.publishing import publish
from eventhub.sourcing.appending import New, append
from eventhub.sourcing.projecting import declaring, projection, rebuilding
from monitoring.exposition import families, render
from monitoring.watch import inside

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def totals():
    class Row(msgspec.Struct):
        account: str
        total: int = 0

    class Totals:
        def key(self, event):
            return event.stream

        def fold(self, row, event):
            row = row or Row(event.stream)
            row.total += event.value["amount"]
            return row

    Totals.Row = Row
    projection("totals", "account.*")(Totals)
    yield declaring._declared["totals"]
    del declaring._declared["totals"]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS projection_totals, projection_totals__next")


def test_a_projection_that_is_behind_shows_by_how_much(admin_client, totals):
    rebuilding.ensure(totals)
    for amount in (1, 2, 3):
        append("account-1", New("account.moved", {"amount": amount}))
    (row,) = [one for one in inside.readers() if one.name == "totals"]
    assert (row.behind, row.state, row.is_more) == (3, "follows", False)
    page = admin_client.get("/lag/").content.decode()
    assert "Inside EventHub" in page
    assert 'eventhub_projection_behind_events{projection="totals"} 3.0' in render(
        families(), openmetrics=False
    )
    rebuilding.follow(totals)
    assert next(one for one in inside.readers() if one.name == "totals").behind == 0


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
