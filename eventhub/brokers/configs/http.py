from eventhub.brokers.configs.fields import BrokerConfig


class HttpConfig(BrokerConfig, frozen=True, forbid_unknown_fields=True):
    """Events sent to ``POST /api/events``: there is nothing to set."""
