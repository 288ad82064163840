import json

import pytest
from django.test import Client

from dlq.models import DeadLetter
from eventhub.access.models import Scope
from eventhub.access.tokens import create_token
from eventhub.events.models import Event
from tests.ingest.conftest import malformed_messages

MALFORMED = 1000


def valid(number):
    return json.dumps(
        {"event_id": f"ok-{number}", "event_type": "order.placed", "data": {"n": number}}
    ).encode()


def test_a_thousand_malformed_messages_are_dead_letters_and_the_valid_ones_between_are_stored(
    client, source, run_loop
):
    stream = source.config["streams"][0]
    sent = {}
    for number, body in enumerate(malformed_messages(MALFORMED)):
        sent[client.xadd(stream, {"body": body}).decode()] = body
        client.xadd(stream, {"body": valid(number)})
    run_loop(source, lambda loop: loop.messages_total >= 2 * MALFORMED, timeout_s=120)

    assert Event.objects.filter(event_id__startswith="ok-").count() == MALFORMED
    letters = {
        letter.origin_key.rpartition("/")[2]: letter for letter in DeadLetter.objects.iterator(chunk_size=50)
    }
    assert letters.keys() == sent.keys()
    for entry, letter in letters.items():
        assert bytes(letter.body) == sent[entry]
        assert letter.error_message
        assert letter.error_class
    assert client.xpending(stream, "eventhub")["pending"] == 0


@pytest.mark.django_db
def test_a_thousand_malformed_bodies_are_refused_over_http_and_the_valid_ones_between_are_stored():
    http = Client(headers={"authorization": f"Bearer {create_token('shop', Scope.INGEST)}"})
    for number, body in enumerate(malformed_messages(MALFORMED, huge=3)):
        refused = http.post("/api/events", body, content_type="application/json")
        assert refused.status_code in {400, 413, 422}, (body[:80], refused.content)
        answer = refused.json()
        assert answer.get("detail") or answer["results"][0]["reason"]
        if number % 10 == 0:
            stored = http.post("/api/events", valid(number), content_type="application/json")
            assert stored.status_code == 202
    assert Event.objects.count() == MALFORMED // 10
    assert DeadLetter.objects.count() == 0
