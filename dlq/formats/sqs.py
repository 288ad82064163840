"""Amazon SQS: what a queue's attributes tell of a message that its redrive policy moved.

There is no error: a reader that fails does not say why, it only does not delete the message.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html
"""

from dlq.formats.format import Death, Origin
from dlq.formats.values import count
from eventhub.events.message import Message
from eventhub.events.times import read_time

SOURCE = "DeadLetterQueueSourceArn"
RECEIVED, FIRST_RECEIVED = "ApproximateReceiveCount", "ApproximateFirstReceiveTimestamp"


class SqsRedrive:
    """The queue that a message was moved from, and how often it was received; they are properties, not headers."""

    name = "SQS redrive"

    def recognises(self, message: Message) -> bool:
        """Whether the queue says where the message was before."""
        return SOURCE in message.properties

    def read(self, message: Message) -> Death:
        """The count goes on over both queues, and the last one is ours."""
        properties = message.properties
        arn = properties[SOURCE]
        queue = arn.rpartition(":")[2]
        attempts = max(1, (count(properties.get(RECEIVED)) or 1) - 1)
        times = "once" if attempts == 1 else f"{attempts} times"
        return Death(
            error_class="MaxReceives",
            error_message=f"It was received {times} from the queue {queue}, and no reader deleted it.",
            failed_in=queue,
            # A queue is named by its ARN as well, which also tells the account.
            origin=Origin(arn),
            attempts=attempts,
            failed_at=read_time(properties.get(FIRST_RECEIVED, "")),
        )

    def owns(self, header: str) -> bool:
        """No header."""
        return False
