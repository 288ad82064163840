import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from botocore.exceptions import BotoCoreError, ClientError

from eventhub.brokers.sqs.receiving import tens
from tests.services.elasticmq import REGION, ElasticMQServer

QUEUE = "chaos-orders"
FILLERS = 8
READY_TIMEOUT_S = 90.0


class SqsInChaos:
    """A queue on an ElasticMQ of the test's own, which keeps its messages on disk."""

    kind = "sqs"

    def __init__(self, server: ElasticMQServer) -> None:
        self.server = server
        self.client = server.address.client()
        self.url = self.client.create_queue(QueueName=QUEUE)["QueueUrl"]
        self.config = {
            "queues": [QUEUE],
            "endpoint_url": server.address.endpoint_url,
            "region": REGION,
            "access_key_id": "chaos",
            "secret_access_key": "chaos",
            "visibility_timeout_s": 10,  # what a killed worker held comes again soon
        }

    def fill(self, bodies: Iterable[bytes]) -> None:
        with ThreadPoolExecutor(FILLERS) as pool:
            list(pool.map(self._send, tens(bodies)))

    def restart(self) -> None:
        self.server.restart()

    def _send(self, bodies: list[bytes]) -> None:
        """As a producer does: until the broker says that it has them, which may be twice what it has."""
        entries = [{"Id": str(n), "MessageBody": body.decode()} for n, body in enumerate(bodies)]
        deadline = time.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                answer = self.client.send_message_batch(QueueUrl=self.url, Entries=entries)
            except (BotoCoreError, ClientError):
                # After a restart it reads its messages from disk, and answers 503 meanwhile.
                assert time.monotonic() < deadline
                time.sleep(0.5)
            else:
                assert not answer.get("Failed")
                return

    def in_flight(self) -> int:
        return self._count("ApproximateNumberOfMessagesNotVisible")

    def left(self) -> int:
        """How many messages the queue still holds, waiting or in flight."""
        return self._count("ApproximateNumberOfMessages") + self.in_flight()

    def _count(self, name: str) -> int:
        answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        return int(answer["Attributes"][name])
