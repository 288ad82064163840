import msgspec


class HttpConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Events sent to ``POST /api/events``: there is nothing to set."""
