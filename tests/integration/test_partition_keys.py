"""The flow review tells which service spreads one entity over the partitions of a real topic, and which does not."""

import json

import pytest

from eventhub.ingest.pipeline import Pipeline
from monitoring.review import running
from monitoring.review.models import Finding, Severity
from tests.integration.kafka_source import KafkaSource, take

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

STREAMS, EACH = 12, 4


def published_by(service: str, stream: str, version: int) -> bytes:
    return json.dumps(
        {
            "event_id": f"{stream}-{version}",
            "event_type": f"{service}.moved",
            "event_version": "1",
            "timestamp": "2026-11-24T12:00:00Z",
            "data": {"n": version},
            "metadata": {
                "source": service,
                "correlation_id": stream,
                "stream": stream,
                "stream_version": version,
            },
        }
    ).encode()


def test_a_key_that_splits_an_entity_is_found_on_the_service_that_chose_it(shop: KafkaSource):
    shop.make(partitions=3)
    for service in ("sloppy", "careful"):
        for version in range(1, EACH + 1):
            for number in range(STREAMS):
                stream = f"{service}-{number}"
                key = f"{stream}-{version}" if service == "sloppy" else stream
                shop.put(published_by(service, stream, version), partition=-1, key=key)
    source = shop.source()
    source.save()
    messages = take(shop.open(), 2 * STREAMS * EACH)
    partitions = {message.partition for message in messages}
    assert len(partitions) == 3, "the topic's partitions were not used; the test shows nothing"
    # As they come from partitions that are read one after the other; each stream's own order is not what is looked at.
    messages.sort(key=lambda message: json.loads(message.body)["metadata"]["stream_version"])
    pipeline = Pipeline(source)
    pipeline.write(pipeline.prepare(messages))
    running.run(settle_s=0)

    [finding] = Finding.objects.filter(rule="ignored-order", state="open")
    assert (finding.service, finding.subject) == ("sloppy", "partition key")
    assert (finding.severity, finding.of) == (Severity.BROKEN, STREAMS)
    assert 3 <= finding.n <= STREAMS
    assert shop.topic in finding.detail
    shown = {proof["label"] for proof in finding.evidence}
    assert shown
    assert all(label.startswith("sloppy-") for label in shown)
