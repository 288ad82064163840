from eventhub.brokers.kinds import GLYPHS, Kind
from eventhub.sources.layout import Ask, Layout, Part

OUTBOX = Layout(
    icon=GLYPHS[Kind.OUTBOX],
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
