from eventhub.brokers.kinds import GLYPHS, Kind
from eventhub.sources.layout import Ask, Layout, Part
from eventhub.sources.layouts.certificates import CERTIFICATES

RABBITMQ = Layout(
    icon=GLYPHS[Kind.RABBITMQ],
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
