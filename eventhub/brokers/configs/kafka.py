from typing import Annotated, Literal

from msgspec import Meta

from eventhub.brokers.configs.fields import BrokerConfig, NonEmpty, Secret, described

# "earliest", "latest", or a time in RFC 3339.
START = r"^(earliest|latest|\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))$"


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
    group: Annotated[NonEmpty, described('the consumer group\'s name, e.g. "eventhub" (the default)')] = (
        "eventhub"
    )
    start: Annotated[
        Annotated[str, Meta(pattern=START)],
        described(
            'where a group that has read nothing yet begins: "earliest" (everything there is, the default), "latest" '
            '(only what comes from now on), or a time such as "2030-12-31T00:00:00Z"'
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
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] | None,
        described('how to sign in: "PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512" or "OAUTHBEARER"'),
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
