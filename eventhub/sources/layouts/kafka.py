from eventhub.brokers.kinds import GLYPHS, Kind
from eventhub.sources.layout import Ask, Layout, Part
from eventhub.sources.layouts.certificates import CERTIFICATES

SASL = ("sasl_plaintext", "sasl_ssl")
TLS = ("ssl", "sasl_ssl")
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

KEY_PASSWORD = Ask(
    field="client_key_password",
    label="Password of the key",
    widget="secret",
    help="Where the private key has one.",
)

KAFKA = Layout(
    icon=GLYPHS[Kind.KAFKA],
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
