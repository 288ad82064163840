"""Amazon SQS, or a server that speaks its API: standard and FIFO queues, whose readers compete for messages.

A message is deleted when it is acknowledged. What is not comes again after the visibility timeout, or at once when the
adapter is closed in good order.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from eventhub.brokers.adapter import BrokerError, Lag, Place, Refused
from eventhub.brokers.config import SqsConfig, read_config
from eventhub.brokers.sqs.account import NoSuchQueue, Unusable, account_of, code_of, name_of
from eventhub.brokers.sqs.messages import (
    BATCH,
    MAX_BYTES,
    Entry,
    Unsendable,
    batches,
    entry_of,
    lanes,
    message_of,
)
from eventhub.brokers.sqs.receiving import Queue, Receiving, give_back, receive, tens
from eventhub.events.message import Message, OutgoingMessage

if TYPE_CHECKING:  # the outbox's relay publishes in projects that have no sources
    from eventhub.brokers.models import Source

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import BatchResultErrorEntryTypeDef, MessageTypeDef

# What a batch left undone is tried again after these times.
RETRY_AFTER_S = (0.1, 0.3, 1.0)
# Peeking: how long to wait for messages, and how long they are hidden should they not be given back.
PEEK_WAIT_S, PEEK_VISIBILITY_S = 1, 20
LONG_AGO = datetime.min.replace(tzinfo=UTC)
# A receipt that SQS knows no more: the message was not acknowledged in time, and is on its way to come again.
OVER = {"ReceiptHandleIsInvalid", "InvalidParameterValue", "MessageNotInflight"}
# The whole request was refused for now; none of it was done.
BUSY = {"RequestThrottled", "Throttling", "ThrottlingException", "OverLimit", "KmsThrottled"}
VISIBLE, HIDDEN, DELAYED = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


class Sqs:
    """One reader of the queues of a Source; readers compete. Delivery is at least once."""

    COST_OF_PEEKING = (
        "SQS hides the messages from their readers for a moment and counts them as received once more, which a queue "
        "with a dead-letter queue takes into account."
    )

    def __init__(self, source: "Source", consumer: str) -> None:
        self._config = config = read_config(source, SqsConfig)
        self._source = source.name
        self._account = account_of(config)
        names = [name_of(queue) for queue in config.queues]
        # Queues of two accounts may share a name; then they are called by what the config calls them.
        self._topics = {
            name if names.count(name) == 1 else queue: queue
            for name, queue in zip(names, config.queues, strict=True)
        }
        self._pool = ThreadPoolExecutor(config.receivers, thread_name_prefix=f"sqs {source.name}")
        self._receiving: Receiving | None = None
        # The largest message that a queue takes, by topic.
        self._limits: dict[str, int] = {}

    def poll(self, max_messages: int, timeout_s: float) -> list[Message]:
        """What the receivers have in their buffer; the first poll starts them. See Adapter.poll."""
        if self._receiving is None:
            self._receiving = self._start_receiving()
        return self._receiving.take(max_messages, timeout_s)

    def problems(self) -> list[str]:
        """Which of several queues cannot be read now; see TellsProblems."""
        return self._receiving.problems() if self._receiving else []

    def acknowledge(self, batch: Sequence[Message]) -> None:
        """Delete them all, ten with a request; see Adapter.acknowledge."""
        if self._receiving is None:
            return
        for url, receipts in self._receiving.let_go(batch).items():
            list(self._pool.map(partial(self._delete, url), tens(receipts)))

    def publish(self, messages: Sequence[OutgoingMessage]) -> None:
        """Send them, ten with a request, those of a FIFO group one after the other; see Adapter.publish.

        The topic is the name, ARN or URL of a queue. `messages.entry` says what becomes of headers and properties.
        """
        refused: dict[int, str] = {}
        by_topic: dict[str, list[tuple[int, OutgoingMessage]]] = {}
        for index, message in enumerate(messages):
            by_topic.setdefault(message.topic, []).append((index, message))
        for topic, numbered in by_topic.items():
            try:
                url, limit = self._account.url_of(topic), self._largest(topic)
            except Unusable as error:
                refused |= {index: str(error) for index, _ in numbered}
                continue
            entries: list[Entry] = []
            for index, message in numbered:
                try:
                    entries.append(_entry(index, message, limit))
                except Unsendable as error:
                    refused[index] = str(error)
            side_by_side = lanes(entries, self._config.receivers)
            for told in self._pool.map(partial(self._send, url), side_by_side):
                refused |= told
        if refused:
            raise Refused(dict(sorted(refused.items())))

    def lag(self) -> list[Lag]:
        """For each queue what is visible or delayed, and what is in flight to any reader; see Adapter.lag.

        The age of the oldest is known of what this adapter holds, and of a queue that is empty. Of a queue that cannot
        be used nothing is known; raises BrokerError when none can.
        """
        lags, trouble = [], []
        for topic, named in self._topics.items():
            try:
                lags.append(self._lag_of(topic, self._attributes(named)))
            except Unusable as error:
                lags.append(Lag(topic, "", None, why_unknown=str(error)))
                trouble.append(error)
        if len(trouble) == len(lags):
            raise trouble[0]
        return lags

    @property
    def broker(self) -> str:
        """See WatchesAll."""
        meta = self._account.client.meta
        return f"{meta.endpoint_url} {meta.region_name}".strip()

    def everything(self) -> list[Lag]:
        """Every queue of the account and region; without the right to list them, the source's. See WatchesAll."""
        topics = {named: topic for topic, named in self._topics.items()}
        try:
            with self._account.errors():
                pages = self._account.client.get_paginator("list_queues").paginate(
                    PaginationConfig={"PageSize": 1000}
                )
                urls = [url for page in pages for url in page.get("QueueUrls", [])]
        except Unusable:
            return self.lag()
        own = {self._account.url_of(named): topics[named] for named in topics}
        return list(self._pool.map(lambda url: self._told(own.get(url, name_of(url)), url), urls))

    def _told(self, topic: str, queue: str) -> Lag:
        try:
            return self._lag_of(topic, self._attributes(queue))
        except Unusable as error:
            return Lag(topic, "", None, why_unknown=str(error))

    def peek(self, max_messages: int, timeout_s: float) -> list[Message]:
        """Some that SQS hands out, given back at once; see Adapter.peek and `COST_OF_PEEKING`."""
        deadline = monotonic() + timeout_s
        share = max(1, max_messages // len(self._topics))
        received: dict[Queue, list[tuple[Message, str]]] = {}
        try:
            for queue in (Queue(topic, named) for topic, named in self._topics.items()):
                found = received.setdefault(queue, [])
                while len(found) < share and monotonic() < deadline:
                    asked = min(BATCH, share - len(found))
                    answer = receive(self._account, queue, asked, PEEK_WAIT_S, PEEK_VISIBILITY_S)
                    if not answer:
                        break
                    found += [(self._read(raw, queue.topic), raw["ReceiptHandle"]) for raw in answer]
        finally:
            for queue, found in received.items():
                for part in tens(receipt for _, receipt in found):
                    give_back(self._account, queue, part)
        messages = [message for found in received.values() for message, _ in found]
        return sorted(messages, key=lambda message: message.timestamp or LONG_AGO, reverse=True)

    def place_of(self, message: OutgoingMessage) -> Place:
        """Whether the queue is there and what waits in it; SQS knows no readers. See Adapter.place_of."""
        try:
            attributes = self._attributes(message.topic)
        except NoSuchQueue as error:
            return Place(exists=False, note=str(error))
        waiting = _count(attributes, VISIBLE)
        note = "" if waiting is None else f"Messages that wait there: {waiting:,}."
        return Place(exists=True, note=note)

    def close(self) -> None:
        """Give back what is not acknowledged, and end the receivers."""
        if self._receiving is not None:
            self._receiving.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _start_receiving(self) -> Receiving:
        config = self._config
        return Receiving(
            self._account,
            [Queue(topic, named) for topic, named in self._topics.items()],
            self._read,
            self._pool,
            receivers=config.receivers,
            wait_time_s=config.wait_time_s,
            visibility_timeout_s=config.visibility_timeout_s,
        )

    def _read(self, raw: "MessageTypeDef", topic: str) -> Message:
        return message_of(raw, topic, f"sqs:{self._source}/{topic}/")

    def _delete(self, url: str, receipts: Sequence[str]) -> None:
        entries = [{"Id": str(n), "ReceiptHandle": receipt} for n, receipt in enumerate(receipts)]
        with self._account.errors(url):
            failed = _confirmed(
                lambda left: self._account.client.delete_message_batch(QueueUrl=url, Entries=left), entries
            )
        bad = [entry for entry in failed.values() if entry["Code"] not in OVER]
        if bad:
            raise BrokerError(
                f"{len(bad)} of {len(entries)} messages of the queue {name_of(url)!r} could not be deleted "
                f"({bad[0]['Code']}): {bad[0].get('Message', '')} They come again, and are then known as duplicates."
            )

    def _send(self, url: str, lane: Sequence[Entry]) -> dict[int, str]:
        """Send the entries in their order; why SQS refused some, by their index."""
        refused: dict[int, str] = {}
        for batch in batches(lane):
            entries = [{"Id": str(n), **entry.fields} for n, entry in enumerate(batch)]
            try:
                failed = _confirmed(
                    lambda left: self._account.client.send_message_batch(QueueUrl=url, Entries=left), entries
                )
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500) >= 500:
                    raise self._account.in_words(error, url) from error
                refused |= {entry.index: str(self._account.in_words(error, url)) for entry in batch}
                continue
            except Exception as error:
                raise self._account.in_words(error, url) from error
            refused |= {
                batch[int(number)].index: f"SQS refused the message for the queue {name_of(url)!r} "
                f"({entry['Code']}): {entry.get('Message', '')}"
                for number, entry in failed.items()
            }
        return refused

    def _largest(self, topic: str) -> int:
        """How many bytes a message may have there; AWS's limit where these credentials may not ask."""
        if topic not in self._limits:
            try:
                told = self._attributes(topic).get("MaximumMessageSize", "")
            except NoSuchQueue:
                raise
            except Unusable:
                told = ""
            self._limits[topic] = int(told) if told.isdigit() else MAX_BYTES
        return self._limits[topic]

    def _attributes(self, queue: str) -> Mapping[str, str]:
        url = self._account.url_of(queue)
        with self._account.errors(queue):
            answer = self._account.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return {str(name): value for name, value in answer.get("Attributes", {}).items()}

    def _lag_of(self, topic: str, attributes: Mapping[str, str]) -> Lag:
        visible, hidden, delayed = (_count(attributes, name) for name in (VISIBLE, HIDDEN, DELAYED))
        oldest = self._receiving.oldest_sent_at(topic) if self._receiving else None
        age = timedelta() if visible == hidden == delayed == 0 else None
        return Lag(
            topic=topic,
            group="",
            messages=None if visible is None else visible + (delayed or 0),
            pending=hidden,
            delayed=delayed,
            oldest_age=max(datetime.now(UTC) - oldest, timedelta()) if oldest else age,
        )


def _confirmed(
    call: Callable[[list[Any]], Any], entries: Iterable[Mapping[str, Any]]
) -> "dict[str, BatchResultErrorEntryTypeDef]":
    """Make a batch request, and again for what SQS itself failed at; the entries that failed in the end, by Id."""
    left = list(entries)
    failed: dict[str, BatchResultErrorEntryTypeDef] = {}
    for pause_s in (*RETRY_AFTER_S, None):
        try:
            answer = call(left)
        except ClientError as error:
            if code_of(error) not in BUSY or pause_s is None:
                raise
            sleep(pause_s)
            continue
        now = {entry["Id"]: entry for entry in answer.get("Failed", [])}
        failed |= {number: entry for number, entry in now.items() if entry["SenderFault"] or pause_s is None}
        left = [entry for entry in left if entry["Id"] in now and entry["Id"] not in failed]
        if not left or pause_s is None:
            break
        sleep(pause_s)
    return failed


def _entry(index: int, message: OutgoingMessage, limit: int) -> Entry:
    entry = entry_of(index, message, is_fifo=message.topic.endswith(".fifo"))
    if entry.size_bytes > limit:
        raise Unsendable(
            f"The message has {entry.size_bytes:,} bytes with its headers; the queue {name_of(message.topic)!r} takes "
            f"at most {limit:,}."
        )
    return entry


def _count(attributes: Mapping[str, str], name: str) -> int | None:
    text = attributes.get(name, "")
    return int(text) if text.isdigit() else None
