"""How fast an SQS queue becomes committed rows, beside what the bare client receives and deletes with no work done."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from benchmarks import brokers, stage
from benchmarks.record import record
from tests.services.elasticmq import REGION, SqsAddress

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

EVENTS = 10_000
# As many as the source has receivers.
THREADS = 8
BATCH = 10


def run() -> bool:
    """Everything on; the goal is 0.8 of the bare client's rate with as many threads."""
    with stage.services() as folder, brokers.sqs(folder) as sqs:
        from eventhub.brokers.models import Kind, Source

        messages = list(stage.bodies(EVENTS))
        before = _bare(sqs, messages)
        stage.declare_schema()
        name, url = _filled(sqs, messages)
        source = Source.objects.create(
            name=name,
            kind=Kind.SQS,
            config={
                "queues": [name],
                "endpoint_url": sqs.endpoint_url,
                "region": REGION,
                "access_key_id": "bench",
                "secret_access_key": "bench",
                "receivers": THREADS,
            },
        )
        rate = stage.ingest_rate(source, folder, ["bench"], EVENTS, timeout_s=300)
        sqs.client().delete_queue(QueueUrl=url)
        after = _bare(sqs, messages)
    print(f"bare client before {before:,.0f}/s, after {after:,.0f}/s", flush=True)
    return record(
        "ingest-sqs",
        value=rate,
        unit="events/s",
        reference="the bare client's receiving and deleting with no work done",
        reference_value=(before + after) / 2,
        goal=0.8,
        better="higher",
    )


def _bare(sqs: SqsAddress, messages: Sequence[bytes]) -> float:
    """Messages a second that boto3 receives and deletes, by the ten, from a filled queue."""
    _, url = _filled(sqs, messages)
    client = sqs.client()

    def drain() -> list[tuple[float, int]]:
        done = []
        while received := client.receive_message(QueueUrl=url, MaxNumberOfMessages=BATCH).get("Messages"):
            entries = [
                {"Id": str(n), "ReceiptHandle": message["ReceiptHandle"]}
                for n, message in enumerate(received)
            ]
            client.delete_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]
            done.append((time.perf_counter(), len(received)))
        return done

    began = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        done = sorted(one for drained in pool.map(lambda _: drain(), range(THREADS)) for one in drained)
    client.delete_queue(QueueUrl=url)
    count = sum(n for _, n in done)
    if count != len(messages):
        raise AssertionError(f"the bare client received {count:,} of {len(messages):,} messages")
    return count / (done[-1][0] - began)


def _filled(sqs: SqsAddress, messages: Sequence[bytes]) -> tuple[str, str]:
    """The name and URL of a new queue that holds `messages`."""
    client = sqs.client()
    name = brokers.new_name("orders")
    url = client.create_queue(QueueName=name)["QueueUrl"]
    batches = [messages[start : start + BATCH] for start in range(0, len(messages), BATCH)]
    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(lambda batch: _send(client, url, batch), batches):
            pass
    return name, url


def _send(client: "SQSClient", url: str, bodies: Sequence[bytes]) -> None:
    entries = [{"Id": str(n), "MessageBody": body.decode()} for n, body in enumerate(bodies)]
    answer = client.send_message_batch(QueueUrl=url, Entries=entries)  # type: ignore[arg-type]
    if failed := answer.get("Failed"):
        raise AssertionError(f"{len(failed)} messages were not taken: {failed[0]}")
