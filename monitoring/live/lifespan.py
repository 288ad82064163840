"""What runs as long as the web process does."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

from monitoring.live.publisher import Publisher


class Lifespan:
    """The ASGI lifespan protocol: the publisher of live snapshots starts and stops with the web process."""

    def __init__(self, on_shutdown: Callable[[], None] = lambda: None) -> None:
        self._on_shutdown = on_shutdown

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[dict[str, Any]]],
        send: Callable[[dict[str, Any]], Awaitable[None]],
    ) -> None:
        """Answer startup and shutdown."""
        publishing: asyncio.Task[None] | None = None
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                publishing = asyncio.create_task(Publisher().run(), name="live-publisher")
            elif publishing is not None:
                self._on_shutdown()
                publishing.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await publishing
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
