"""What runs as long as the web process does."""

from collections.abc import Awaitable, Callable
from typing import Any


class Lifespan:
    """The ASGI lifespan protocol: starts with the web process, stops with it."""

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer startup and shutdown."""
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
