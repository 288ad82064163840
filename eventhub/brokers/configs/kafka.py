import re
from typing import Annotated, Literal

from msgspec import Meta

from eventhub.brokers.configs.fields import BrokerConfig, NonEmpty, Secret, described

# "earliest", "latest", or a time in RFC 3339.
START = r"^(earliest|latest|\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))$"
# Kafka's own bookkeeping: __consumer_offsets, __transaction_state, …
INTERNAL = "__"
_HAS_A_FIELD = "the config has a field of its own for it, which keeps secrets secret"
_ONLY_AFTER_THE_COMMIT = "a message is acknowledged only after it was stored"
_RUNS_CODE = "it would run a program of its choice on the worker"
# Settings of librdkafka that are not passed through, and why.
REFUSED = {
    "bootstrap.servers": _HAS_A_FIELD,
    "metadata.broker.list": _HAS_A_FIELD,
    "security.protocol": _HAS_A_FIELD,
    "sasl.mechanism": _HAS_A_FIELD,
    "sasl.mechanisms": _HAS_A_FIELD,
    "sasl.username": _HAS_A_FIELD,
    "sasl.password": _HAS_A_FIELD,
    "ssl.ca.pem": _HAS_A_FIELD,
    "ssl.certificate.pem": _HAS_A_FIELD,
    "ssl.key.pem": _HAS_A_FIELD,
    "ssl.key.password": _HAS_A_FIELD,
    "group.id": _HAS_A_FIELD,
    "auto.offset.reset": "where reading begins is said by start",
    "group.instance.id": "it is made of the worker's name, so that a restarted worker gets its partitions back",
    "group.protocol": "only the classic protocol is known to move partitions without loss here",
    "group.remote.assignor": "only the classic protocol is known to move partitions without loss here",
    "partition.assignment.strategy": "only cooperative-sticky lets a worker finish before it gives up partitions",
    "enable.auto.commit": _ONLY_AFTER_THE_COMMIT,
    "auto.commit.enable": _ONLY_AFTER_THE_COMMIT,
    "enable.auto.offset.store": _ONLY_AFTER_THE_COMMIT,
    "isolation.level": "messages of aborted transactions must never become events",
    "enable.partition.eof": "the lag is told by it",
    "acks": "publishing is confirmed by all replicas",
    "request.required.acks": "publishing is confirmed by all replicas",
    "enable.idempotence": "a message is published once however often the connection breaks",
    "transactional.id": "messages are published one by one",
    "plugin.library.paths": _RUNS_CODE,
    "ssl.engine.location": _RUNS_CODE,
    "ssl.providers": _RUNS_CODE,
    "sasl.kerberos.kinit.cmd": _RUNS_CODE,
}


class KafkaConfig(BrokerConfig, frozen=True, forbid_unknown_fields=True):
    """Topics of a Kafka cluster, read as one consumer group."""

    bootstrap_servers: Annotated[
        NonEmpty, described('one or more brokers to begin with, e.g. "kafka-1:9092,kafka-2:9092"')
    ]
    topics: Annotated[
        list[NonEmpty], described('a list of topic names, e.g. ["orders", "payments"]; or give a pattern')
    ] = []
    pattern: Annotated[
        NonEmpty | None,
        described(
            'a regular expression that whole topic names match, e.g. "shop\\\\..*"; new topics are found'
        ),
    ] = None
    group: Annotated[
        NonEmpty | None,
        described("the consumer group's name; left out, \"eventhub.\" and the source's name"),
    ] = None
    start: Annotated[
        Annotated[str, Meta(pattern=START)],
        described(
            'where a group that has read nothing yet begins: "earliest" (everything there is, the default), "latest" '
            '(only what comes from now on), or a time such as "2030-12-31T00:00:00Z". Topics and partitions that '
            "are made later are read from their beginning"
        ),
    ] = "earliest"
    tombstones: Annotated[
        Literal["event", "skip"],
        described(
            'what a message without value on a compacted topic is: "event" (the default: the type is the topic\'s name '
            'and ".tombstone", the stream is the key) or "skip"'
        ),
    ] = "event"
    security: Annotated[
        Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"],
        described('"plaintext" (the default), "ssl", "sasl_plaintext" or "sasl_ssl"'),
    ] = "plaintext"
    sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None,
        described('how to sign in: "PLAIN", "SCRAM-SHA-256" or "SCRAM-SHA-512"'),
    ] = None
    username: Annotated[NonEmpty | None, described("the name to sign in with")] = None
    password: Annotated[Secret | None, described("the password to sign in with")] = None
    ca_certificate: Annotated[
        NonEmpty | None, described("the certificate authority to trust, in PEM; left out, the system's")
    ] = None
    client_certificate: Annotated[
        NonEmpty | None, described("a client certificate in PEM, for mutual TLS")
    ] = None
    client_key: Annotated[Secret | None, described("the client certificate's private key in PEM")] = None
    client_key_password: Annotated[
        Secret | None, described("the password of the private key, where it has one")
    ] = None
    registry_url: Annotated[
        Annotated[str, Meta(pattern=r"^https?://")] | None,
        described('a schema registry for messages in Confluent wire format, e.g. "http://registry:8081"'),
    ] = None
    registry_username: Annotated[NonEmpty | None, described("the name to sign in to the registry with")] = (
        None
    )
    registry_password: Annotated[Secret | None, described("the password to sign in to the registry with")] = (
        None
    )
    settings: Annotated[
        dict[str, str | int | float | bool],
        described(
            'more settings of librdkafka as they are, e.g. {"client.rack": "a", "fetch.min.bytes": 1000}'
        ),
    ] = {}

    def reads(self) -> list[str]:
        """Topics, or the pattern of their names."""
        return self.topics or [self.pattern or ""]

    def __post_init__(self) -> None:
        """Raises ValueError, which says what to change."""
        if bool(self.topics) == bool(self.pattern):
            raise ValueError(
                "The config should name either topics or a pattern for their names, and not both."
            )
        for topic in self.topics:
            if topic.startswith(INTERNAL):
                raise ValueError(f"The topic {topic!r} is Kafka's own bookkeeping and holds no events.")
        if self.pattern:
            try:
                re.compile(self.pattern)
            except re.error as error:
                raise ValueError(
                    f"The config's 'pattern' is no regular expression: {error}. A dot is written \\. and any text .*"
                ) from error
        for name in self.settings:
            if reason := REFUSED.get(name):
                raise ValueError(f"The config's 'settings' should not hold {name!r}: {reason}.")
