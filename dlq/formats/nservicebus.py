"""NServiceBus' error queue (https://docs.particular.net/nservicebus/messaging/headers#error-forwarding-headers)."""

import re
from datetime import datetime

from dlq.formats.bodies import event_of
from dlq.formats.format import Death, queue_of
from dlq.formats.values import count
from eventhub.events.message import Message
from eventhub.events.times import read_time

PREFIX = "nservicebus."
FAILED_QUEUE = f"{PREFIX}failedq"
ERROR = f"{PREFIX}exceptioninfo."
# What NServiceBus' own tools take off before they send a message again; the names of retries go on after these.
OWNED = (
    f"{PREFIX}retries",
    f"{PREFIX}flretries",
    FAILED_QUEUE,
    f"{PREFIX}timeoffailure",
    ERROR,
)
# yyyy-MM-dd HH:mm:ss:ffffff Z
_TIME = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d):(\d{1,6}) Z")


class NServiceBus:
    """The queue it failed in, the exception, and the message by its own headers."""

    name = "NServiceBus"

    def recognises(self, message: Message) -> bool:
        """Whether it says which queue it failed in, or with which exception."""
        return FAILED_QUEUE in message.headers or f"{ERROR}exceptiontype" in message.headers

    def read(self, message: Message) -> Death:
        """The failure; retries at once and later ones are counted together."""

        def value(name: str) -> str:
            return message.headers.get(PREFIX + name, "")

        queue = value("failedq").partition("@")[0]  # MSMQ adds the machine
        retries = (count(value("retries")) or 0) + (count(value("flretries")) or 0)
        return Death(
            error_class=value("exceptioninfo.exceptiontype"),
            error_message=value("exceptioninfo.message") or value("exceptioninfo.reason"),
            stack=value("exceptioninfo.stacktrace"),
            failed_in=value("processingendpoint") or queue,
            origin=queue_of(message, queue),
            attempts=min(1 + retries, 1_000_000),
            failed_at=_time(value("timeoffailure")),
            event=event_of(
                message,
                event_id=value("messageid"),
                # "Shop.OrderPlaced, Shop.Messages, Version=1.0.0.0, Culture=neutral, PublicKeyToken=null; …"
                event_type=value("enclosedmessagetypes").partition(";")[0].partition(",")[0].strip(),
                source=value("originatingendpoint"),
                correlation_id=value("conversationid") or value("correlationid"),
                causation_id=value("relatedto"),
                occurred_at=_time(value("timesent")),
            ),
        )

    def owns(self, header: str) -> bool:
        """What NServiceBus removes as well."""
        return header.startswith(OWNED)


def _time(text: str) -> datetime | None:
    return read_time(_TIME.sub(r"\1.\2Z", text))
