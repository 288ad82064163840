"""requests to addresses that are configured, by `eventhub.access.outgoing_pool`."""

from typing import Any

import requests
from requests.adapters import HTTPAdapter

from eventhub.access.outgoing_pool import POOLS


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = POOLS


def session() -> requests.Session:
    """A session of requests that connects only where EventHub may, and through no proxy."""
    made = requests.Session()
    made.trust_env = False
    for scheme in ("http://", "https://"):
        made.mount(scheme, _Adapter())
    return made
