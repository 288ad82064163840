"""The order service's database work, off the event loop, one transaction after the other."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import ParamSpec, TypeVar

from django.db import InterfaceError, OperationalError, connection, transaction

P = ParamSpec("P")
T = TypeVar("T")


class Unavailable(Exception):
    """Something the service cannot work without is away: wait for it, and do not blame the event."""


class Database:
    """One thread with one connection: what is committed first has the lower outbox id, which the relay relies on."""

    def __init__(self) -> None:
        self.written = asyncio.Event()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="shop-database")

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns, run on the database thread. Raises Unavailable while there is no database."""
        return await asyncio.get_running_loop().run_in_executor(
            self._thread, lambda: self._now(work, *args, **kwargs)
        )

    def _now(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return work(*args, **kwargs)
        except (OperationalError, InterfaceError) as error:
            connection.close()
            raise Unavailable(f"The database does not answer: {error}") from error

    def close(self) -> None:
        """Close the connection and end the thread."""
        closing = self._thread.submit(_close)
        self._thread.shutdown(wait=False)
        with suppress(TimeoutError):  # a database that hangs must not keep the shop from closing
            closing.result(timeout=0.5)


class BlockingDatabase(Database):
    """The same while time is only played (``rehearsal.py``): the clock must stand still until the work is done."""

    async def run(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """What `work` returns; nothing else runs meanwhile."""
        return self._thread.submit(lambda: self._now(work, *args, **kwargs)).result()

    @contextmanager
    def in_one_transaction(self) -> Iterator[None]:
        """All work inside is committed together at the end, which is much faster, or not at all."""
        whole = transaction.atomic()
        self._thread.submit(whole.__enter__).result()
        with ExitStack() as stack:
            stack.push(lambda *error: self._thread.submit(whole.__exit__, *error).result())
            yield


def _close() -> None:
    # `connection` is another object in every thread, so its method is looked up in the one that used it.
    connection.close()
