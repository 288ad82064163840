"""The WebSocket of a page: the newest snapshot at once, then one a second."""

import asyncio
import contextlib
import logging
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from redis.exceptions import RedisError
from uvicorn.protocols.utils import ClientDisconnected

from eventhub.access.models import Role
from eventhub.access.roles import may
from monitoring.live import latest
from monitoring.live.hub import Message, hub, message_of

log = logging.getLogger(__name__)

# Close codes of our own (4000–4999 are free for that): the page asks for a login, or comes back by itself.
NOT_LOGGED_IN = 4401
NOT_ALLOWED = 4403
TRY_AGAIN = 4503


class LiveConsumer(AsyncWebsocketConsumer):
    """Sends snapshots to one page. A page that reads slowly gets fewer of them, never a pile of old ones."""

    groups: list[str] = []
    # It has no subscription of its own: the process's hub hands snapshots on.
    channel_layer_alias = "none"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection; without Redis it is refused in one line of the log, and the page comes back."""
        try:
            await super().__call__(scope, receive, send)
        except ClientDisconnected:
            return  # the page went while something was sent to it
        except (RedisError, OSError) as error:
            log.warning("A live view ended, because Redis is away: %s", error)
            with contextlib.suppress(Exception):  # the page may be gone already
                await send({"type": "websocket.close", "code": TRY_AGAIN})

    async def connect(self) -> None:
        """Let people in who are logged in, and show them how things stand."""
        self._waiting: Message | None = None
        self._arrived = asyncio.Event()
        self._sending: asyncio.Task[None] | None = None
        await self.accept()  # before closing: a refused handshake has no close code that a page could read
        user = self.scope.get("user")
        if user is None or not user.is_authenticated:
            await self.close(NOT_LOGGED_IN)
            return
        if not await database_sync_to_async(may)(user, Role.VIEWER):
            await self.close(NOT_ALLOWED)
            return
        try:
            await hub().join(self)
            self.offer(message_of(await database_sync_to_async(latest.newest)()))
        except Exception as error:  # noqa: BLE001 - the page is told to come back
            log.warning("A live view could not be opened: %s", error)
            await self.close(TRY_AGAIN)
            return
        self._sending = asyncio.create_task(self._send_newest())

    async def disconnect(self, code: int) -> None:
        """Stop sending."""
        if self._sending is not None:
            self._sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._sending
        await hub().leave(self)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Pages have nothing to say here."""

    def offer(self, message: Message) -> None:
        """Replace what was not sent yet."""
        self._waiting = message
        self._arrived.set()

    def lost(self) -> None:
        """Have the page come back."""
        self.offer({"type": "websocket.close", "code": TRY_AGAIN})

    async def _send_newest(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            message, self._waiting = self._waiting, None
            if message is not None:
                await self.base_send(message)  # waits while the connection is full
