from eventhub.brokers.kinds import GLYPHS, Kind
from eventhub.sources.layout import Ask, Layout, Part

REDIS = Layout(
    icon=GLYPHS[Kind.REDIS],
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
