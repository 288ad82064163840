from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from eventhub.brokers.sqs.receiving import tens
from tests.services.elasticmq import REGION, ElasticMQServer

QUEUE = "chaos-orders"
FILLERS = 8


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
        def send(part: list[bytes]) -> None:
            answer = self.client.send_message_batch(
                QueueUrl=self.url,
                Entries=[{"Id": str(n), "MessageBody": body.decode()} for n, body in enumerate(part)],
            )
            assert not answer.get("Failed")

        with ThreadPoolExecutor(FILLERS) as pool:
            list(pool.map(send, tens(bodies)))

    def restart(self) -> None:
        self.server.restart()

    def in_flight(self) -> int:
        return self._count("ApproximateNumberOfMessagesNotVisible")

    def left(self) -> int:
        """How many messages the queue still holds, waiting or in flight."""
        return self._count("ApproximateNumberOfMessages") + self.in_flight()

    def _count(self, name: str) -> int:
        answer = self.client.get_queue_attributes(QueueUrl=self.url, AttributeNames=["All"])
        return int(answer["Attributes"][name])
