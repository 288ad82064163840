"""One subscription of a web process to the snapshots, handed on to all pages that are open in it.

A page that subscribes by itself costs a subscription in Redis, a decoding of each snapshot and a walk through Channels'
dispatch, which hops into a thread: with a thousand pages that was most of a tick. Here a snapshot is decoded once, and
the message to be sent is made once; a page only wakes up and sends it.
"""

import asyncio
import logging
from typing import Any, Protocol, TypeAlias
from weakref import WeakKeyDictionary

import redis.asyncio
from channels.layers import get_channel_layer
from django.conf import settings

from monitoring.live import latest
from monitoring.live.publisher import GROUP

log = logging.getLogger(__name__)

# Snapshots come once a second.
SILENT_S = 3.0
TIMEOUT_S = 2.0
# An ASGI message of a WebSocket.
Message: TypeAlias = Any


class Page(Protocol):
    """Somebody who is shown snapshots."""

    def offer(self, message: Message) -> None:
        """Take the newest snapshot, as the message to be sent, in place of what was not sent yet."""

    def lost(self) -> None:
        """There will be none: Redis is away."""


def message_of(text: str) -> Message:
    """A snapshot as every page sends it. It is shared: nobody changes it."""
    return {"type": "websocket.send", "text": text}


class Hub:
    """The pages of one event loop. It listens as long as there are any."""

    def __init__(self) -> None:
        self._pages: set[Page] = set()
        self._listening: asyncio.Task[None] | None = None
        self._is_subscribed = asyncio.Event()

    async def join(self, page: Page) -> None:
        """Offer `page` every snapshot from now on. Raises what the channel layer raises when Redis is away."""
        self._pages.add(page)
        if self._listening is None or self._listening.done():
            self._is_subscribed = asyncio.Event()
            self._listening = asyncio.create_task(self._listen(), name="live-hub")
        subscribed = asyncio.ensure_future(self._is_subscribed.wait())
        await asyncio.wait({subscribed, self._listening}, return_when=asyncio.FIRST_COMPLETED)
        if not subscribed.done():
            subscribed.cancel()
            self._pages.discard(page)
            raise ConnectionError("Redis cannot be subscribed to.")

    async def leave(self, page: Page) -> None:
        """Offer it no more."""
        self._pages.discard(page)
        if not self._pages and self._listening is not None:
            listening, self._listening = self._listening, None
            listening.cancel()
            await asyncio.wait({listening})

    async def _listen(self) -> None:
        try:
            await self._hand_on()
        except Exception as error:  # noqa: BLE001 - the pages are told, and come back
            log.warning("Live views ended, because Redis is away: %s", error)
            for page in tuple(self._pages):
                page.lost()

    async def _hand_on(self) -> None:
        layer = get_channel_layer()
        if layer is None:
            raise RuntimeError("CHANNEL_LAYERS is not set: there is no way to get live snapshots.")
        await _ask_redis()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        self._is_subscribed.set()
        try:
            while True:
                text = (await _received(layer, channel))["text"]
                latest.note(text)
                message = message_of(text)
                for page in self._pages:
                    page.offer(message)
        finally:
            await layer.group_discard(GROUP, channel)


async def _received(layer: Any, channel: str) -> Any:
    """The next message. The layer waits in silence for a Redis that is away: whoever listens to it would never know.

    Raises RedisError, OSError when it is.
    """
    receiving = asyncio.ensure_future(layer.receive(channel))
    try:
        while not (await asyncio.wait({receiving}, timeout=SILENT_S))[0]:
            await _ask_redis()  # else it is the publisher that is silent
    except BaseException:
        receiving.cancel()
        await asyncio.wait({receiving})  # the layer lets go of the channel
        raise
    return receiving.result()


async def _ask_redis() -> None:
    async with redis.asyncio.Redis.from_url(
        settings.REDIS_URL, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S
    ) as client:
        await client.ping()


_hubs: "WeakKeyDictionary[asyncio.AbstractEventLoop, Hub]" = WeakKeyDictionary()


def hub() -> Hub:
    """That of the running event loop."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
