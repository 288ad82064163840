"""The form of each kind of broker, in the order in which they are offered."""

from eventhub.brokers.models import Kind
from eventhub.sources.layout import Ask, Layout, Part

SASL = ("sasl_plaintext", "sasl_ssl")
TLS = ("ssl", "sasl_ssl")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

CERTIFICATES = (
    Ask(
        field="ca_certificate",
        label="Certificate authority",
        widget="pem",
        help="Whom to trust, in PEM. Left empty, those the system trusts.",
    ),
    Ask(
        field="client_certificate",
        label="Client certificate",
        widget="pem",
        help="Only for mutual TLS, in PEM.",
    ),
    Ask(field="client_key", label="Client key", widget="secret-pem", help="Its private key, in PEM."),
)
KEY_PASSWORD = Ask(
    field="client_key_password",
    label="Password of the key",
    widget="secret",
    help="Where the private key has one.",
)

KAFKA = Layout(
    icon="topology-star-3",
    sentence="Topics of a Kafka cluster, shared by workers as one consumer group.",
    parts=(
        Part(
            title="Where",
            asks=(
                Ask(
                    field="bootstrap_servers",
                    label="Bootstrap servers",
                    required=True,
                    example="kafka-1:9092,kafka-2:9092",
                    help="One or more brokers to begin with.",
                ),
                Ask(
                    field="security",
                    label="Security",
                    widget="choice",
                    options={
                        "plaintext": "none",
                        "ssl": "TLS",
                        "sasl_plaintext": "SASL",
                        "sasl_ssl": "SASL over TLS",
                    },
                ),
                Ask(
                    field="sasl_mechanism",
                    label="Mechanism",
                    widget="choice",
                    when={"security": SASL},
                    required=True,
                    options={name: name for name in MECHANISMS},
                ),
                Ask(field="username", label="User name", when={"security": SASL}, required=True),
                Ask(
                    field="password",
                    label="Password",
                    widget="secret",
                    when={"security": SASL},
                    required=True,
                ),
            ),
        ),
        Part(title="Certificates", folded=True, when={"security": TLS}, asks=(*CERTIFICATES, KEY_PASSWORD)),
        Part(
            title="What",
            asks=(
                Ask(
                    key="topics_by",
                    label="Topics",
                    widget="choice",
                    options={"name": "by name", "pattern": "by pattern"},
                ),
                Ask(
                    field="topics",
                    label="Topic names",
                    widget="lines",
                    when={"topics_by": ("name",)},
                    required=True,
                    example="orders\npayments",
                    help="One a line.",
                ),
                Ask(
                    field="pattern",
                    label="Pattern",
                    when={"topics_by": ("pattern",)},
                    required=True,
                    example=r"shop\..*",
                    help="A regular expression that whole topic names match; new topics are found.",
                ),
                Ask(
                    field="group",
                    label="Consumer group",
                    help="Workers of the same group share the topics. Left empty: eventhub. and the source's name.",
                ),
                Ask(
                    field="start",
                    label="Begin at",
                    proposals=("earliest", "latest"),
                    help="For a group that has read nothing yet: earliest, latest, or a moment such as "
                    "2030-12-31T00:00:00Z.",
                ),
            ),
        ),
        Part(
            title="Schema registry",
            folded=True,
            asks=(
                Ask(
                    field="registry_url",
                    label="Address",
                    example="http://registry:8081",
                    help="For messages in Confluent wire format: Avro, Protobuf, JSON Schema.",
                ),
                Ask(field="registry_username", label="User name"),
                Ask(field="registry_password", label="Password", widget="secret"),
            ),
        ),
        Part(
            title="More",
            folded=True,
            asks=(
                Ask(
                    field="tombstones",
                    label="Messages without a value",
                    widget="choice",
                    options={"event": "are events", "skip": "are skipped"},
                    help="On compacted topics they say that a key is gone. As an event: the type is the topic's name "
                    "and .tombstone, the stream is the key.",
                ),
                Ask(
                    field="settings",
                    label="Settings of librdkafka",
                    widget="pairs",
                    example="client.rack = a\nfetch.min.bytes = 1000",
                    help="One a line. What is secret in them is encrypted and not shown again.",
                ),
            ),
        ),
    ),
)

RABBITMQ = Layout(
    icon="arrows-split",
    sentence="A tap on an exchange, by a queue of its own; or a queue that is there.",
    parts=(
        Part(
            title="Where",
            asks=(
                Ask(
                    field="url",
                    label="Address",
                    required=True,
                    example="amqp://eventhub@rabbitmq:5672/shop",
                    help="With the user and the virtual host; amqps:// for TLS.",
                ),
                Ask(field="password", label="Password", widget="secret"),
            ),
        ),
        Part(
            title="What",
            asks=(
                Ask(
                    key="reads_from",
                    label="Read from",
                    widget="choice",
                    options={"exchange": "an exchange", "queue": "a queue that is there"},
                    help="An exchange is copied: nobody loses a message. From a queue that is there, they are taken.",
                ),
                Ask(
                    field="exchange",
                    label="Exchange",
                    when={"reads_from": ("exchange",)},
                    required=True,
                    example="orders",
                ),
                Ask(
                    field="bindings",
                    label="Routing keys",
                    widget="lines",
                    when={"reads_from": ("exchange",)},
                    example="order.#",
                    help="One a line, to bind the tap's queue with. # is everything, on a topic exchange; on a fanout "
                    "exchange they do not matter.",
                ),
                Ask(
                    field="header_bindings",
                    label="Headers to bind",
                    widget="json",
                    when={"reads_from": ("exchange",)},
                    example='[{"x-match": "all", "kind": "order"}]',
                    help="On a headers exchange only, as JSON.",
                ),
                Ask(
                    field="queue",
                    key="own_queue",
                    label="The tap's queue",
                    when={"reads_from": ("exchange",)},
                    help="Made where it is missing. Left empty: eventhub. and the source's name.",
                ),
                Ask(
                    field="queue",
                    label="Queue",
                    when={"reads_from": ("queue",)},
                    required=True,
                    example="orders",
                ),
                Ask(
                    field="queue_type",
                    label="Kind of queue",
                    widget="choice",
                    options={"quorum": "quorum", "classic": "classic", "stream": "stream"},
                ),
                Ask(
                    field="stream_max_age",
                    label="Keep messages for",
                    when={"queue_type": ("stream",), "reads_from": ("exchange",)},
                    example="7D",
                    help="A number and Y, M, D, h, m or s: how long the tap's own stream keeps them.",
                ),
                Ask(
                    field="stream_start",
                    label="Begin at",
                    when={"queue_type": ("stream",)},
                    proposals=("first", "last", "next"),
                    help="When nothing of the stream was read yet: first, last, next, an offset, or a moment such as "
                    "2030-12-31T00:00:00Z.",
                ),
            ),
        ),
        Part(
            title="More",
            folded=True,
            asks=(
                Ask(field="prefetch", label="Prefetch", widget="number"),
                Ask(
                    field="max_priority",
                    label="Highest priority",
                    widget="number",
                    when={"queue_type": ("classic",), "reads_from": ("exchange",)},
                ),
                Ask(field="management_url", label="Management API", example="http://rabbitmq:15672"),
            ),
        ),
        Part(title="Certificates", folded=True, asks=CERTIFICATES),
    ),
)

SQS = Layout(
    icon="stack-2",
    sentence="Queues of Amazon SQS, or of a server that speaks its API; SNS and EventBridge through them.",
    parts=(
        Part(
            title="Where",
            asks=(
                Ask(
                    field="region",
                    label="Region",
                    example="eu-central-1",
                    help="Left empty, the environment's.",
                ),
                Ask(
                    field="endpoint_url",
                    label="Another address",
                    example="http://elasticmq:9324",
                    help="Only for a server other than AWS's own.",
                ),
                Ask(
                    key="credentials",
                    label="Credentials",
                    widget="choice",
                    options={"found": "AWS's usual ways", "key": "an access key", "profile": "a profile"},
                    help="The usual ways: the environment of the workers, their profile, the role of the machine.",
                ),
                Ask(
                    field="access_key_id",
                    label="Access key ID",
                    when={"credentials": ("key",)},
                    required=True,
                    example="AKIA…",
                ),
                Ask(
                    field="secret_access_key",
                    label="Secret access key",
                    widget="secret",
                    when={"credentials": ("key",)},
                    required=True,
                ),
                Ask(
                    field="session_token",
                    label="Session token",
                    widget="secret",
                    when={"credentials": ("key",)},
                    help="Only of temporary credentials.",
                ),
                Ask(field="profile", label="Profile", when={"credentials": ("profile",)}, required=True),
                Ask(
                    field="role_arn",
                    label="Role to assume",
                    example="arn:aws:iam::123456789012:role/eventhub",
                    help="Left empty, none.",
                ),
                Ask(field="external_id", label="External ID", help="Where the role asks for one."),
            ),
        ),
        Part(
            title="What",
            asks=(
                Ask(
                    field="queues",
                    label="Queues",
                    widget="lines",
                    required=True,
                    example="orders\npayments.fifo",
                    help="Names, URLs or ARNs, one a line.",
                ),
            ),
        ),
        Part(
            title="More",
            folded=True,
            asks=(
                Ask(field="receivers", label="Receivers for each queue", widget="number"),
                Ask(field="wait_time_s", label="Seconds to wait for messages", widget="number"),
                Ask(field="visibility_timeout_s", label="Visibility timeout, in seconds", widget="number"),
            ),
        ),
    ),
)

REDIS = Layout(
    icon="layers-linked",
    sentence="Redis Streams, shared by workers as one consumer group.",
    parts=(
        Part(
            title="Where",
            asks=(
                Ask(
                    key="server",
                    label="Redis",
                    widget="choice",
                    options={"own": "EventHub's own", "other": "another"},
                ),
                Ask(
                    field="url",
                    label="Address",
                    when={"server": ("other",)},
                    required=True,
                    example="redis://redis:6379/0",
                    help="With the user, where there is one: rediss://user@host:6379/0 (rediss:// is TLS).",
                ),
                Ask(field="password", label="Password", widget="secret", when={"server": ("other",)}),
            ),
        ),
        Part(
            title="What",
            asks=(
                Ask(
                    field="streams",
                    label="Streams",
                    widget="lines",
                    required=True,
                    example="orders\npayments",
                    help="One a line.",
                ),
                Ask(
                    field="group", label="Consumer group", help="Workers of the same group share the streams."
                ),
                Ask(
                    field="start",
                    label="Begin at",
                    proposals=("0", "$"),
                    help="For a new group: 0 is everything there is, $ only what comes from now on; or an entry id.",
                ),
            ),
        ),
    ),
)

OUTBOX = Layout(
    icon="database",
    sentence="What applications on this database publish in their own transactions.",
    parts=(
        Part(
            title="What",
            asks=(
                Ask(
                    field="topics",
                    label="Topics",
                    widget="lines",
                    help="One a line. Left empty, all of them.",
                ),
            ),
        ),
    ),
)

HTTP = Layout(icon="api", sentence="Events that services send to POST /api/events. Nothing to connect to.")

LAYOUTS: dict[str, Layout] = {
    Kind.KAFKA: KAFKA,
    Kind.RABBITMQ: RABBITMQ,
    Kind.SQS: SQS,
    Kind.REDIS: REDIS,
    Kind.OUTBOX: OUTBOX,
    Kind.HTTP: HTTP,
}
