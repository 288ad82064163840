"""Receiving from Amazon SQS: threads that fill a bounded buffer, and one that keeps what is in work hidden.

A message that was received is hidden from other readers for the visibility timeout. So it is held here, with the
receipt that acknowledges it, from when it is received until it is acknowledged or given back, and hidden anew whenever
half of that time is over.

FIFO queues stay in order: SQS returns no message of a group while an earlier one of it is hidden, and what one request
returns is put into the buffer in one go. So no two receivers ever hold messages of the same group.
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from datetime import datetime
from itertools import islice
from math import inf
from threading import Condition, Event, Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any

from eventhub.brokers.sqs.account import Account, Unreachable, Unusable
from eventhub.brokers.sqs.messages import BATCH
from eventhub.events.message import Message

if TYPE_CHECKING:
    from types_boto3_sqs.type_defs import MessageTypeDef

log = logging.getLogger(__name__)

# What the buffer holds at most, but for the answers that were already asked for.
BUFFER_MESSAGES = 4_000
BUFFER_BYTES = 16_000_000
# How long a request waits for messages while some of the queue are held, so that closing need not wait long for it; and
# an additional receiver's at all times: it ends when it finds that it is not needed.
SHORT_WAIT_S = 1
# While answers come full, a poll waits this long for more, as long as more comes within a moment: a transaction of few
# messages costs as much as one of many.
LINGER_S = 0.1
MOMENT_S = 0.02
# A queue configured without long polling is asked again after this.
PAUSE_S = 1.0
# A queue that is not there, or may not be read, is tried again after this.
UNUSABLE_PAUSE_S = 10.0
# What `close` spends at most on short requests that are still out, and on giving back.
END_S = SHORT_WAIT_S + 0.5
GIVE_BACK_S = 5.0


class Held:
    """A message in our hands: its newest receipt, until when it is hidden (monotonic clock), and when it was sent."""

    __slots__ = ("receipt", "sent_at", "until")

    def __init__(self, receipt: str, until: float, sent_at: datetime | None) -> None:
        self.receipt = receipt
        self.until = until
        self.sent_at = sent_at


class Queue:
    """A queue that is read."""

    def __init__(self, topic: str, named: str) -> None:
        self.topic = topic
        # As the config names it, and its address once it was found.
        self.named = named
        self.url = ""
        # Why it cannot be read now.
        self.trouble: Unusable | None = None
        # By message id.
        self.held: dict[str, Held] = {}
        # Receivers beside the one that every queue always has, and requests under way.
        self.extras = 0
        self.asked = 0
        # Whether the last answer was full: there is more.
        self.is_busy = False


class Receiving:
    """What one adapter receives. `take`, `let_go` and `close` are called by one thread."""

    def __init__(
        self,
        account: Account,
        queues: Sequence[Queue],
        read: "Callable[[MessageTypeDef, str], Message]",
        pool: ThreadPoolExecutor,
        *,
        receivers: int,
        wait_time_s: int,
        visibility_timeout_s: int,
    ) -> None:
        self.queues = queues
        self._account = account
        self._read = read
        self._pool = pool
        self._receivers = receivers
        self._wait_time_s = wait_time_s
        self._visibility_timeout_s = visibility_timeout_s
        self._lock = Lock()
        self._filled = Condition(self._lock)
        self._has_room = Condition(self._lock)
        self._buffer: deque[Message] = deque()
        self._buffered_bytes = 0
        # How large an answer is, as far as we know.
        self._answer_bytes = 0.0
        self._error: Exception | None = None
        self._ending = Event()
        self._is_closed = False
        self._silent_until = 0.0
        for queue in queues:
            self._start(self._receive, queue)
        self._start(self._keep_hidden)

    def take(self, max_messages: int, timeout_s: float) -> list[Message]:
        """Up to `max_messages` from the buffer; waits at most `timeout_s` for the first.

        Raises what the receivers failed with: one of them, or every queue.
        """
        with self._lock:
            if timeout_s > 0:
                self._filled.wait_for(lambda: self._buffer or self._failure(), timeout_s)
            if self._buffer:
                self._linger(min(max_messages, BUFFER_MESSAGES))
            if failure := self._failure():
                raise failure
            taken = [self._buffer.popleft() for _ in range(min(max_messages, len(self._buffer)))]
            self._buffered_bytes -= sum(len(message.body) for message in taken)
            self._has_room.notify_all()
            return taken

    def let_go(self, batch: Iterable[Message]) -> dict[str, list[str]]:
        """By the URL of each queue, the receipts of these messages, which are no longer held from now on."""
        queues = {queue.topic: queue for queue in self.queues}
        found: dict[str, list[str]] = {}
        with self._lock:
            for message in batch:
                queue = queues[message.topic]
                if held := queue.held.pop(message.offset, None):
                    found.setdefault(queue.url, []).append(held.receipt)
        return found

    def oldest_sent_at(self, topic: str) -> datetime | None:
        """When the oldest message of this topic in our hands was sent; None when there is none."""
        with self._lock:
            held = [each for queue in self.queues if queue.topic == topic for each in queue.held.values()]
            return min((each.sent_at for each in held if each.sent_at), default=None)

    def problems(self) -> list[str]:
        """Why some queues cannot be read while others are."""
        return [str(queue.trouble) for queue in self.queues if queue.trouble]

    def close(self) -> None:
        """End the receivers and give back what is still held. Never raises, and takes a few seconds at most.

        A request that waits long for messages cannot be called off: its thread gives back what it gets. What is given
        back while a request is out may be its answer, so short ones are waited for.
        """
        self._ending.set()
        with self._lock:
            self._has_room.notify_all()
            self._filled.wait_for(lambda: not any(queue.asked for queue in self.queues if queue.held), END_S)
            self._is_closed = True
            receipts = [(queue, [each.receipt for each in queue.held.values()]) for queue in self.queues]
            for queue in self.queues:
                queue.held.clear()
            self._buffer.clear()
        if isinstance(self._error, Unreachable):
            return
        futures = [
            self._pool.submit(give_back, self._account, queue, part)
            for queue, held in receipts
            for part in tens(held)
        ]
        wait(futures, GIVE_BACK_S)
        for future in futures:
            future.cancel()

    # -- The threads -----------------------------------------------------------------------------

    def _start(self, target: Callable[..., None], *arguments: object, **named: object) -> None:
        # Daemons, because a request waits for messages for up to twenty seconds, which must not hold up an exit.
        Thread(target=target, args=arguments, kwargs=named, name="sqs", daemon=True).start()

    def _receive(self, queue: Queue, *, is_extra: bool = False) -> None:
        short_wait_s = min(SHORT_WAIT_S, self._wait_time_s)
        while self._may_ask(queue, is_extra=is_extra):
            try:
                messages = self._ask(queue, short_wait_s if is_extra or queue.held else self._wait_time_s)
            except Exception as error:  # noqa: BLE001 - whatever it was, `take` raises it
                self._fail(queue, error)
                if is_extra or self._error:
                    break
                self._ending.wait(UNUSABLE_PAUSE_S)
                continue
            self._put(queue, messages)
            if not messages and is_extra:
                break
            if not messages and self._wait_time_s == 0:
                self._ending.wait(PAUSE_S)
        with self._lock:
            queue.extras -= is_extra

    def _ask(self, queue: Queue, wait_time_s: int) -> list[tuple[Message, str]]:
        """Messages with their receipts."""
        answer = receive(self._account, queue, BATCH, wait_time_s, self._visibility_timeout_s)
        return [(self._read(raw, queue.topic), raw["ReceiptHandle"]) for raw in answer]

    def _fail(self, queue: Queue, error: Exception) -> None:
        with self._lock:
            queue.asked -= 1
            if isinstance(error, Unusable):
                queue.trouble, queue.is_busy = error, False
            else:
                self._error = self._error or error
                self._has_room.notify_all()
            self._filled.notify_all()

    def _failure(self) -> Exception | None:
        """What ends it all: an error of a receiver, or that no queue can be read."""
        if self._error is None and all(queue.trouble for queue in self.queues):
            return self.queues[0].trouble
        return self._error

    def _may_ask(self, queue: Queue, *, is_extra: bool) -> bool:
        """Wait for room in the buffer; False when there is nothing to ask for any more."""
        with self._lock:
            self._has_room.wait_for(lambda: self._is_over() or self._is_room(is_extra=is_extra))
            if self._is_over():
                return False
            queue.asked += 1
            return True

    def _is_over(self) -> bool:
        return self._ending.is_set() or self._error is not None

    def _is_room(self, *, is_extra: bool) -> bool:
        # A queue's first receiver may sit in long polling while others fill the buffer, so it does not count.
        expected = sum(queue.asked for queue in self.queues) if is_extra else 0
        return (
            len(self._buffer) + expected * BATCH < BUFFER_MESSAGES
            and self._buffered_bytes + expected * self._answer_bytes < BUFFER_BYTES
        )

    def _may_be_more(self, queue: Queue) -> bool:
        """Whether one receiver more may be of use."""
        return queue.extras + 1 < self._receivers and not self._is_over() and self._is_room(is_extra=True)

    def _put(self, queue: Queue, messages: list[tuple[Message, str]]) -> None:
        until = monotonic() + self._visibility_timeout_s
        with self._lock:
            queue.asked -= 1
            is_closed = self._is_closed
            if not is_closed:
                queue.trouble = None
                size = self._hold(queue, messages, until)
                self._answer_bytes = max(size, 0.9 * self._answer_bytes)
                queue.is_busy = len(messages) == BATCH
                if len(messages) * 2 >= BATCH and self._may_be_more(queue):
                    queue.extras += 1
                    self._start(self._receive, queue, is_extra=True)
            self._filled.notify_all()
        if is_closed and messages:
            give_back(self._account, queue, [receipt for _, receipt in messages])

    def _hold(self, queue: Queue, messages: list[tuple[Message, str]], until: float) -> int:
        size = 0
        for message, receipt in messages:
            if known := queue.held.get(message.offset):
                # It came once more while it is in work: its newest receipt is the one that counts.
                known.receipt, known.until = receipt, until
                continue
            queue.held[message.offset] = Held(receipt, until, message.timestamp)
            self._buffer.append(message)
            size += len(message.body)
        self._buffered_bytes += size
        return size

    def _linger(self, wanted: int) -> None:
        deadline = monotonic() + LINGER_S
        before = 0
        while before < len(self._buffer) and monotonic() < deadline:
            before = len(self._buffer)
            if self._filled.wait_for(lambda: self._is_enough(wanted), MOMENT_S):
                return

    def _is_enough(self, wanted: int) -> bool:
        return (
            len(self._buffer) >= wanted
            or self._buffered_bytes >= BUFFER_BYTES
            or self._error is not None
            or not any(queue.is_busy for queue in self.queues)
        )

    # -- Visibility --------------------------------------------------------------------------------

    def _keep_hidden(self) -> None:
        while not self._ending.wait(self._visibility_timeout_s / 8):
            now = monotonic()
            with self._lock:
                due = [
                    (queue, part)
                    for queue in self.queues
                    for part in tens(
                        each
                        for each in queue.held.values()
                        if each.until < now + self._visibility_timeout_s / 2
                    )
                ]
            for queue, part in due:
                for each in part:
                    each.until = now + self._visibility_timeout_s
                with suppress(RuntimeError):  # closed meanwhile
                    self._pool.submit(self._hide_again, queue, part)

    def _hide_again(self, queue: Queue, held: Sequence[Held]) -> None:
        if self._ending.is_set():
            return
        try:
            receipts = [each.receipt for each in held]
            failed = set_visibility(self._account, queue, receipts, self._visibility_timeout_s)
        except Exception as error:  # noqa: BLE001 - tried again soon; at worst the messages come again
            if monotonic() > self._silent_until:  # once for all the parts
                self._silent_until = monotonic() + UNUSABLE_PAUSE_S
                log.warning("messages of %s could not be kept hidden: %s", queue.topic, error)
            failed = dict.fromkeys(range(len(held)), False)
        for n, is_final in failed.items():
            # A receipt that SQS does not know any more: acknowledged just now, or the message comes again.
            held[n].until = inf if is_final else monotonic()


def receive(
    account: Account, queue: Queue, count: int, wait_time_s: int, visibility_timeout_s: int
) -> "list[MessageTypeDef]":
    """One request for at most ten messages. Raises BrokerError."""
    queue.url = queue.url or account.url_of(queue.named)
    with account.errors(queue.named):
        answer = account.client.receive_message(
            QueueUrl=queue.url,
            MaxNumberOfMessages=count,
            WaitTimeSeconds=wait_time_s,
            VisibilityTimeout=visibility_timeout_s,
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
        )
    return answer.get("Messages", [])


def give_back(account: Account, queue: Queue, receipts: Sequence[str]) -> None:
    """Let others have these messages, at most ten, at once. Never raises."""
    try:
        set_visibility(account, queue, receipts, 0)
    except Exception as error:  # noqa: BLE001 - then they come again after the visibility timeout
        log.info("messages of %s could not be given back: %s", queue.topic, error)


def set_visibility(
    account: Account, queue: Queue, receipts: Sequence[str], timeout_s: int
) -> dict[int, bool]:
    """Hide these messages, at most ten, for so long from now; what failed, by its place, and whether for good."""
    answer = account.client.change_message_visibility_batch(
        QueueUrl=queue.url,
        Entries=[
            {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": timeout_s}
            for n, receipt in enumerate(receipts)
        ],
    )
    return {int(entry["Id"]): entry["SenderFault"] for entry in answer.get("Failed", [])}


def tens(items: Iterable[Any]) -> Iterator[list[Any]]:
    """`items` in lists of ten, which is what one request takes."""
    each = iter(items)
    while part := list(islice(each, BATCH)):
        yield part
