"""Messages that a redrive policy moved, on a server that speaks SQS: read, reviewed, sent back, and dead once more."""

import json
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from eventhub.brokers.models import Kind, Role, Source
from tests.integration.dead_letters import ORDER, Desk, check_leaves_only_when_stored, desk
from tests.services.elasticmq import REGION, SqsAddress

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import MessageTypeDef

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.django_db(transaction=True)]

# How often a reader may fail.
MAX_RECEIVES = 3
OWN: dict[str, Any] = {
    "TraceParent": {
        "DataType": "String",
        "StringValue": "00-0af7651916cd43dd8448eb211c80319c-b9c7c989f97918e1-01",
    },
    "priority": {"DataType": "Number.int", "StringValue": "7"},
    "checksum": {"DataType": "Binary", "BinaryValue": b"\xff\x00\xfe"},
}


class Queues:
    """A queue, and the one that its redrive policy moves messages to."""

    def __init__(self, address: SqsAddress, suffix: str) -> None:
        self.client = address.client()
        self.name = f"t-{uuid4().hex[:8]}"
        self.source, self.dead = f"{self.name}-orders{suffix}", f"{self.name}-dead{suffix}"
        kind: dict[Any, str] = {"FifoQueue": "true"} if suffix else {}
        self.dead_url = self.client.create_queue(QueueName=self.dead, Attributes=kind)["QueueUrl"]
        policy = json.dumps({"deadLetterTargetArn": self.arn(self.dead_url), "maxReceiveCount": MAX_RECEIVES})
        self.url = self.client.create_queue(
            QueueName=self.source, Attributes=kind | {"RedrivePolicy": policy}
        )["QueueUrl"]
        self.config: dict[str, Any] = {
            "queues": [self.dead],
            "endpoint_url": address.endpoint_url,
            "region": REGION,
            "access_key_id": "tests",
            "secret_access_key": "tests",
            "wait_time_s": 1,
        }

    def arn(self, url: str) -> str:
        found = self.client.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return found["Attributes"]["QueueArn"]

    def receive(self, hidden_s: int = 0) -> "list[MessageTypeDef]":
        return self.client.receive_message(
            QueueUrl=self.url,
            VisibilityTimeout=hidden_s,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        ).get("Messages", [])

    def fail(self, received: int = 0) -> None:
        """A reader takes what is there and never deletes it, until the queue gives it up; `received` it was before."""
        for _ in range(MAX_RECEIVES - received):
            assert len(self.receive()) == 1
        deadline = time.monotonic() + 10
        while self.receive():  # it is moved when it would be received once more
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def only(self) -> "MessageTypeDef":
        """The only message in the queue; it stays there."""
        found = self.receive()
        assert len(found) == 1
        counts = self.client.get_queue_attributes(
            QueueUrl=self.url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        assert sum(map(int, counts.values())) == 1
        return found[0]

    def dead_ones(self) -> int:
        """How many messages the dead-letter queue holds, also those that were handed out and not deleted."""
        counts = self.client.get_queue_attributes(
            QueueUrl=self.dead_url,
            AttributeNames=["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"],
        )["Attributes"]
        return sum(map(int, counts.values()))

    def close(self) -> None:
        for url in (self.url, self.dead_url):
            self.client.delete_queue(QueueUrl=url)


@pytest.fixture
def queues(sqs: SqsAddress) -> Iterator[Callable[[str], Queues]]:
    """Makes the two queues, with this suffix; gone after the test."""
    made: list[Queues] = []

    def make(suffix: str = "") -> Queues:
        made.append(Queues(sqs, suffix))
        return made[-1]

    yield make
    for one in made:
        one.close()


def check_reviewed(dead: Desk, pair: Queues) -> None:
    dead.check_shown(
        topic=pair.arn(pair.url),
        event_id="evt-8412",
        event_type="order.placed",
        correlation_id="order-8412",
        failed_in=pair.source,
        error_class="MaxReceives",
        error_message=f"It was received 3 times from the queue {pair.source}, and no reader deleted it.",
        attempts=MAX_RECEIVES,
    )
    assert dead.letter().group.title.startswith("MaxReceives: It was received … times from the queue")
    assert f"{pair.source} gave up on order.placed after 3 attempts." in dead.page()
    assert pair.source in dead.sheet()


def check_is_back(pair: Queues, told: dict[str, str]) -> "MessageTypeDef":
    """That the retry is in the queue it came from, once, as it was sent; the message, received once."""
    again = pair.only()
    assert again["Body"].encode() == ORDER
    assert again["MessageAttributes"] == OWN | {
        name: {"DataType": "String", "StringValue": value} for name, value in told.items()
    }
    return again


def test_a_message_that_nobody_deleted_goes_back_to_its_queue_and_returns(
    queues: Callable[..., Queues],
) -> None:
    pair = queues()
    pair.client.send_message(QueueUrl=pair.url, MessageBody=ORDER.decode(), MessageAttributes=OWN)
    pair.fail()
    with desk(pair.name, Kind.SQS, **pair.config) as dead:
        dead.take_in()
        check_reviewed(dead, pair)

        check_is_back(pair, dead.retry())
        pair.fail(received=1)
        dead.take_in()
        dead.check_came_back(attempt=MAX_RECEIVES + 1)


def test_a_message_of_a_fifo_queue_goes_back_to_its_group_within_the_time_of_deduplication(
    queues: Callable[..., Queues],
) -> None:
    pair = queues(".fifo")
    pair.client.send_message(
        QueueUrl=pair.url,
        MessageBody=ORDER.decode(),
        MessageAttributes=OWN,
        MessageGroupId="customer-7",
        MessageDeduplicationId="order-8412",
    )
    pair.fail()
    with desk(pair.name, Kind.SQS, **pair.config) as dead:
        dead.take_in()
        check_reviewed(dead, pair)
        dead.check_shown(key="customer-7")

        again = check_is_back(pair, dead.retry())
        system: dict[Any, str] = again["Attributes"]
        assert system["MessageGroupId"] == "customer-7"
        # Another than the original's, by which SQS would drop it; made of that, so that the retry is taken once.
        assert len(system["MessageDeduplicationId"]) == 64
        pair.fail(received=1)
        dead.take_in()
        dead.check_came_back(attempt=MAX_RECEIVES + 1)


def test_a_dead_letter_is_removed_from_the_queue_only_when_it_is_stored(
    queues: Callable[[str], Queues], monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = queues("")
    pair.client.send_message(QueueUrl=pair.url, MessageBody=ORDER.decode(), MessageAttributes=OWN)
    pair.fail()
    source = Source.objects.create(
        name=pair.name,
        kind=Kind.SQS,
        role=Role.DEAD_LETTERS,
        config=pair.config | {"visibility_timeout_s": 10},
    )
    check_leaves_only_when_stored(source, pair.dead_ones, monkeypatch)
