from eventhub.sources.layout import Layout

HTTP = Layout(icon="api", sentence="Events that services send to POST /api/events. Nothing to connect to.")
