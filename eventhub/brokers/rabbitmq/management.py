"""RabbitMQ's management API: what AMQP does not tell of queues and bindings.

https://www.rabbitmq.com/docs/http-api-reference
"""

import base64
import ssl
from datetime import datetime, timedelta
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import OpenerDirector, Request

import msgspec

from eventhub.access.outgoing_http import opener
from eventhub.brokers.adapter import BrokerError, Lag
from eventhub.brokers.configs import RabbitmqConfig
from eventhub.brokers.rabbitmq.connection import addresses, certificate_files
from eventhub.brokers.rabbitmq.headers import instant

TIMEOUT_S = 3.0
# What is cut off there is no JSON any more, and refused in words.
MOST_BYTES = 100_000_000


class Queue(msgspec.Struct, frozen=True):
    """A queue as the API tells of it. A queue that is a moment old has no figures yet."""

    name: str
    type: str = "classic"
    messages_ready: int | None = None
    messages_unacknowledged: int | None = None
    consumers: int | None = None
    # Seconds since 1970, from the timestamps that publishers gave; empty text without one.
    head_message_timestamp: int | str | None = None
    message_stats: dict[str, Any] = {}
    arguments: dict[str, Any] = {}
    effective_policy_definition: dict[str, Any] | list[Any] | None = None

    def lag(self, topic: str, now: datetime, members: tuple[str, ...] = ()) -> Lag:
        """What waits in it, for the readers of `topic`."""
        head = self.head_message_timestamp
        since = instant(head) if isinstance(head, int) else None
        return Lag(
            topic=topic,
            group=self.name,
            messages=self.messages_ready,
            pending=self.messages_unacknowledged,
            oldest_age=max(timedelta(), now - since) if since else None,
            consumers=self.consumers,
            in_per_s=self._rate("publish"),
            out_per_s=self._rate("ack"),
            capacity=self._capacity(),
            members=members,
            why_unknown="" if self.messages_ready is not None else "RabbitMQ has no figures of it yet.",
        )

    def _capacity(self) -> int | None:
        """How many messages it holds at most, by its own arguments or by a policy; the lower one counts."""
        policy = self.effective_policy_definition
        limits = (
            self.arguments.get("x-max-length"),
            policy.get("max-length") if isinstance(policy, dict) else None,
        )
        return min((limit for limit in limits if isinstance(limit, int)), default=None)

    def _rate(self, of: str) -> float | None:
        rate = self.message_stats.get(f"{of}_details", {}).get("rate")
        return float(rate) if isinstance(rate, int | float) else None


class Consumer(msgspec.Struct, frozen=True):
    """Who reads a queue."""

    queue: dict[str, Any]
    channel_details: dict[str, Any] | list[Any] = {}
    consumer_tag: str = ""

    @property
    def name(self) -> str:
        """The connection's name where the client gave it one, and where it comes from."""
        details = self.channel_details if isinstance(self.channel_details, dict) else {}
        return str(details.get("connection_name") or self.consumer_tag)


class Binding(msgspec.Struct, frozen=True):
    """What an exchange sends where."""

    destination: str
    destination_type: str
    routing_key: str
    arguments: dict[str, Any] = {}


class Exchange(msgspec.Struct, frozen=True):
    """An exchange."""

    name: str
    type: str


class Management:
    """Asks the API of one source's RabbitMQ, as the user of its address. Methods raise BrokerError."""

    def __init__(self, config: RabbitmqConfig) -> None:
        server = addresses(config)[0]
        parts = urlsplit(config.management_url or "")
        user = unquote(parts.username or "") or server.userid
        password = unquote(parts.password or "") or server.password
        self._host = parts.netloc.rpartition("@")[2]
        self._base = urlunsplit((parts.scheme, self._host, parts.path.rstrip("/"), "", ""))
        self._vhost = quote(server.virtual_host, safe="")
        self._authorization = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._user = user
        self._opener = _opener(config)

    def queue(self, name: str) -> Queue:
        """One queue."""
        return msgspec.convert(self._get(f"queues/{self._vhost}/{quote(name, safe='')}"), Queue)

    def exchange(self, name: str) -> Exchange:
        """One exchange."""
        return msgspec.convert(self._get(f"exchanges/{self._vhost}/{quote(name, safe='')}"), Exchange)

    def bindings(self, exchange: str) -> list[Binding]:
        """All that is bound to an exchange."""
        found = self._get(f"exchanges/{self._vhost}/{quote(exchange, safe='')}/bindings/source")
        return msgspec.convert(found, list[Binding])

    def all_queues(self, now: datetime) -> list[Lag]:
        """What waits in each queue of the virtual host, with who reads it; two requests."""
        readers: dict[str, list[str]] = {}
        for consumer in msgspec.convert(self._get(f"consumers/{self._vhost}"), list[Consumer]):
            readers.setdefault(str(consumer.queue.get("name", "")), []).append(consumer.name)
        return [
            queue.lag(queue.name, now, tuple(sorted(readers.get(queue.name, ())))) for queue in self._queues()
        ]

    def _queues(self) -> list[Queue]:
        found = self._get(f"queues/{self._vhost}?columns={','.join(Queue.__struct_fields__)}")
        return msgspec.convert(found, list[Queue])

    def queues_bound_to(self, exchange: str) -> list[Queue]:
        """The queues that an exchange sends to, by their names. One that goes away meanwhile is left out."""
        names = {found.destination for found in self.bindings(exchange) if found.destination_type == "queue"}
        return sorted(
            (queue for queue in self._queues() if queue.name in names), key=lambda queue: queue.name
        )

    def _get(self, path: str) -> Any:
        request = Request(  # noqa: S310 - the config takes http and https only
            f"{self._base}/api/{path}", headers={"Authorization": self._authorization}
        )
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                return msgspec.json.decode(answer.read(MOST_BYTES))
        except HTTPError as error:
            raise BrokerError(self._refusal(error, path)) from error
        except (URLError, OSError, msgspec.DecodeError) as error:
            reason = getattr(error, "reason", error)
            raise BrokerError(
                f"RabbitMQ's management API at {self._host} cannot be used: {reason}. Check management_url, or "
                "leave it out."
            ) from error

    def _refusal(self, error: HTTPError, path: str) -> str:
        if error.code in (401, 403):
            return (
                f"RabbitMQ's management API at {self._host} refuses the user {self._user!r}. It wants the tag "
                "'monitoring' or 'management' and permissions in the virtual host."
            )
        what = unquote(path.split("/")[2]) if path.count("/") >= 2 else path
        if error.code == 404:
            return f"RabbitMQ's management API at {self._host} knows no {path.split('/')[0][:-1]} {what!r}."
        return f"RabbitMQ's management API at {self._host} answers {error.code} {error.reason}."


def _opener(config: RabbitmqConfig) -> OpenerDirector:
    context = ssl.create_default_context()
    with certificate_files(config) as files:
        if "ca_certs" in files:
            context = ssl.create_default_context(cafile=files["ca_certs"])
        if "certfile" in files:
            context.load_cert_chain(files["certfile"], files["keyfile"])
    return opener(context)


def reaches(kind: str, binding: Binding, key: str) -> bool | None:
    """Whether an exchange of this kind sends a message with the routing key over the binding; None: it depends."""
    match kind:
        case "fanout":
            return True
        case "direct":
            return binding.routing_key == key
        case "topic":
            return _topic_matches(binding.routing_key.split("."), key.split("."))
    return None


def _topic_matches(pattern: list[str], words: list[str]) -> bool:
    """``*`` stands for one word, ``#`` for any number of them."""
    # Which lengths of the beginning of `words` the pattern so far can stand for.
    lengths = {0}
    for part in pattern:
        if part == "#":
            lengths = set(range(min(lengths), len(words) + 1))
        else:
            lengths = {n + 1 for n in lengths if n < len(words) and part in ("*", words[n])}
        if not lengths:
            return False
    return len(words) in lengths
