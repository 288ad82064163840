"""The cache, which costs a page nothing but time when Redis is away: what is in it can all be found out again.

A Redis that hangs is worse than one that is down. So it is given a second, and after that nobody asks it for a while.
"""

import logging
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)

TIMEOUT_S = 1.0
ASK_AGAIN_AFTER_S = 5.0


class _Away:
    """Whether Redis was away a moment ago, for all threads of the process."""

    def __init__(self) -> None:
        self._until = float("-inf")
        self._lock = threading.Lock()

    def is_so(self) -> bool:
        return monotonic() < self._until

    def note(self, error: Exception) -> None:
        with self._lock:
            if not self.is_so():
                log.warning("The cache is left out, because Redis is away: %s", error)
            self._until = monotonic() + ASK_AGAIN_AFTER_S

    def forget(self) -> None:
        self._until = float("-inf")


away = _Away()


class ForgivingRedisCache(RedisCache):
    """Without Redis nothing is found in it and nothing is kept."""

    def __init__(self, server: Any, params: dict[str, Any]) -> None:
        timeouts = {"socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
        super().__init__(server, {**params, "OPTIONS": {**timeouts, **params.get("OPTIONS", {})}})

    def _ask(self, question: Callable[..., Any], otherwise: Any, *args: Any, **kwargs: Any) -> Any:
        if away.is_so():
            return otherwise
        try:
            return question(*args, **kwargs)
        except (RedisError, OSError) as error:
            away.note(error)
            return otherwise

    def add(self, *args: Any, **kwargs: Any) -> Any:
        """False: it was not added."""
        return self._ask(super().add, False, *args, **kwargs)

    def get(self, key: Any, default: Any = None, version: Any = None) -> Any:
        """The default."""
        return self._ask(super().get, default, key, default, version)

    def set(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is kept."""
        self._ask(super().set, None, *args, **kwargs)

    def touch(self, *args: Any, **kwargs: Any) -> Any:
        """False: it is not there."""
        return self._ask(super().touch, False, *args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """False: it was not there."""
        return self._ask(super().delete, False, *args, **kwargs)

    def get_many(self, *args: Any, **kwargs: Any) -> Any:
        """None of them."""
        return self._ask(super().get_many, {}, *args, **kwargs)

    def has_key(self, *args: Any, **kwargs: Any) -> Any:
        """It is not there."""
        return self._ask(super().has_key, False, *args, **kwargs)

    def incr(self, key: Any, delta: int = 1, version: Any = None) -> Any:
        """Raises ValueError, as for any key that is not there."""
        if (count := self._ask(super().incr, None, key, delta, version)) is None:
            raise ValueError(f"Key {key!r} cannot be counted: Redis is away.")
        return count

    def set_many(self, data: Any, *args: Any, **kwargs: Any) -> Any:
        """All of them: they were not kept."""
        return self._ask(super().set_many, list(data), data, *args, **kwargs)

    def delete_many(self, *args: Any, **kwargs: Any) -> None:
        """Nothing was there."""
        self._ask(super().delete_many, None, *args, **kwargs)
