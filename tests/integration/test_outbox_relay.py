"""The relay to each broker that there is."""

import json
import time

import pytest
from django.db import connection, transaction

from eventhub.brokers.adapter import open_adapter
from eventhub.outbox import targets
from eventhub.outbox.management.commands.outbox import params_of
from eventhub.outbox.models import OutboxMessage
from eventhub.outbox.publishing import publish
from eventhub.outbox.relay import Relay

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.django_db(transaction=True)]
COUNT = 300


def test_what_the_outbox_holds_is_on_the_broker_confirmed_and_in_order(broker):
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO outbox_relayslice SELECT generate_series(0, 15) ON CONFLICT DO NOTHING")
    with transaction.atomic():
        for n in range(COUNT):
            publish(broker.topic, {"event_id": f"e-{n}", "event_type": "a.b", "data": {"n": n}}, key="k")
    to = targets.target(broker.source.kind, dict(broker.source.config))
    relay = Relay(params_of(None), lambda: targets.connect(to))
    while relay.turn():
        pass
    relay.close()
    assert OutboxMessage.objects.filter(published_at=None).count() == 0
    reader = open_adapter(broker.source, "w1")
    try:
        came = []
        deadline = time.monotonic() + 30
        while len(came) < COUNT and time.monotonic() < deadline:
            batch = reader.poll(1000, 0.5)
            reader.acknowledge(batch)
            came += batch
    finally:
        reader.close()
    numbers = [json.loads(message.body)["data"]["n"] for message in came]
    assert sorted(numbers) == list(range(COUNT))
    if broker.keeps_order:
        assert numbers == list(range(COUNT))
