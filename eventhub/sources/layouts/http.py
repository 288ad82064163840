from eventhub.brokers.kinds import GLYPHS, Kind
from eventhub.sources.layout import Layout

HTTP = Layout(
    icon=GLYPHS[Kind.HTTP], sentence="Events that services send to POST /api/events. Nothing to connect to."
)
