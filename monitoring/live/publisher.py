"""One snapshot a second for everyone: taken by one web process, sent to all of them over the channel layer.

The processes agree on who does it by an advisory lock that lives and dies with a database session. The others ask for
the lock every few seconds, so that one takes over when the publisher is gone. When PostgreSQL or Redis is away, it is
tried again with growing pauses, and said in the log once.
"""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
from channels.layers import get_channel_layer
from django.db import connection, connections

from monitoring.live import latest
from monitoring.message import encode
from monitoring.snapshot import take

log = logging.getLogger(__name__)

GROUP = "live"
EVERY_S = 1.0
ASK_TO_LEAD_EVERY_S = 3.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 15.0
# Any number of our own; the same in every process.
LOCK = 5_150_731_001


class Publisher:
    """Publishes snapshots while it leads. All its database work is done on one thread of its own."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="live-publisher")
        self._session: psycopg.Connection[Any] | None = None

    async def run(self) -> None:
        """Publish until cancelled."""
        pause_s = 0.0
        try:
            while True:
                try:
                    await asyncio.sleep(pause_s)
                    await self._lead()
                except Exception as error:  # noqa: BLE001 - whatever happens, the live view comes back
                    if not pause_s:
                        log.warning("Live snapshots are held up, and tried again: %s", error)
                    pause_s = min(max(FIRST_PAUSE_S, 2 * pause_s), LONGEST_PAUSE_S)
                    await self._on_thread(self._let_go)
                else:
                    pause_s = 0.0
        finally:
            await self._on_thread(self._let_go)
            self._thread.shutdown(wait=False)

    async def _lead(self) -> None:
        """Wait for the lock, then publish for as long as all goes well."""
        while not await self._on_thread(self._take_lock):  # noqa: ASYNC110 - another process holds it
            await asyncio.sleep(ASK_TO_LEAD_EVERY_S)
        layer = get_channel_layer()
        if layer is None:
            raise RuntimeError("CHANNEL_LAYERS is not set: there is no way to send live snapshots.")
        log.info("This process publishes the live snapshots.")
        clock = asyncio.get_running_loop().time
        due = clock()
        while True:
            text = await self._on_thread(self._snapshot)
            latest.note(text)
            await layer.group_send(GROUP, {"type": "snapshot", "text": text})
            # A slow second is not made up for by a fast one.
            due = max(due + EVERY_S, clock())
            await asyncio.sleep(due - clock())

    def _take_lock(self) -> bool:
        if self._session is None:
            params = connection.get_connection_params()
            params.pop("cursor_factory", None)
            params.pop("context", None)
            self._session = psycopg.connect(**params, autocommit=True)
        row = self._session.execute("SELECT pg_try_advisory_lock(%s)", [LOCK]).fetchone()
        return bool(row and row[0])

    def _snapshot(self) -> str:
        if self._session is None:
            raise RuntimeError("The session that holds the lock is gone.")
        self._session.execute("SELECT 1")  # the lock is gone with its session: then another process leads
        return encode(take())

    def _let_go(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None
        connections.close_all()

    async def _on_thread(self, work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
