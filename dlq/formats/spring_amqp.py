"""Spring AMQP's RepublishMessageRecoverer, which Spring Cloud Stream calls ``republishToDlq``.

https://docs.spring.io/spring-amqp/reference/amqp/resilience-recovering-from-errors-and-broker-failures.html
"""

from dlq.formats.format import Death, Origin
from dlq.formats.values import message_of_cause
from eventhub.events.message import Message

STACK, MESSAGE = "x-exception-stacktrace", "x-exception-message"
EXCHANGE, ROUTING_KEY = "x-original-exchange", "x-original-routingkey"
OWNED = frozenset((STACK, MESSAGE, EXCHANGE, ROUTING_KEY))


class SpringAmqp:
    """The error, and the exchange and routing key that the message was published with."""

    name = "Spring AMQP"

    def recognises(self, message: Message) -> bool:
        """Whether the stack or the message of an exception is there."""
        return STACK in message.headers or MESSAGE in message.headers

    def read(self, message: Message) -> Death:
        """The innermost error: the outermost is Spring's own wrapper."""
        headers = message.headers
        stack = headers.get(STACK, "")
        causes = [
            line.removeprefix("Caused by: ") for line in stack.splitlines() if line.startswith("Caused by: ")
        ]
        outermost = stack.partition("\n")[0]
        error_class = (causes[-1] if causes else outermost).partition(":")[0].strip()
        exchange, key = headers.get(EXCHANGE), headers.get(ROUTING_KEY)
        origin = Origin()
        if key is not None:
            origin = Origin(exchange or key, properties={"exchange": exchange or "", "routing_key": key})
        return Death(
            error_class=error_class if " " not in error_class else "",
            error_message=headers.get(MESSAGE) or message_of_cause(stack, error_class),
            stack=stack,
            origin=origin,
        )

    def owns(self, header: str) -> bool:
        """The four headers."""
        return header in OWNED
