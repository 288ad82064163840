import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from django.contrib.auth.models import AnonymousUser, User
from django.db import connection, connections
from django.test import Client
from uvicorn.protocols.utils import ClientDisconnected

from eventhub.asgi import application
from monitoring.live import latest, publisher
from monitoring.live.consumers import NOT_LOGGED_IN, TRY_AGAIN, LiveConsumer
from monitoring.live.hub import hub, message_of
from monitoring.live.lifespan import Lifespan
from monitoring.live.publisher import GROUP, LOCK, Publisher
from tests.services.ports import free_port

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_noted() -> Iterator[None]:
    latest._noted_at = float("-inf")
    yield
    latest._noted_at = float("-inf")


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run an async test in a loop of its own, and close what Channels opened in it."""

    async def whole() -> None:
        try:
            await test()
        finally:
            await get_channel_layer().flush()
            await sync_to_async(connections.close_all)()

    asyncio.run(asyncio.wait_for(whole(), 30))


class Browser(ApplicationCommunicator):
    """The browser's end of a WebSocket."""

    def __init__(self, app, headers=(), **scope) -> None:
        super().__init__(
            app,
            {"type": "websocket", "path": "/ws/live/", "headers": list(headers), "query_string": b""}
            | {"subprotocols": []}
            | scope,
        )

    async def connect(self) -> str:
        """What the server answers: "websocket.accept" or "websocket.close"."""
        await self.send_input({"type": "websocket.connect"})
        return (await self.receive_output(5))["type"]

    async def text(self) -> str:
        return (await self.receive_output(5))["text"]

    async def leave(self) -> None:
        await self.send_input({"type": "websocket.disconnect", "code": 1000})
        await self.wait(5)


@asynccontextmanager
async def page(user):
    browser = Browser(LiveConsumer.as_asgi(), user=user)
    assert await browser.connect() == "websocket.accept"
    yield browser
    await browser.leave()


@asynccontextmanager
async def publishing():
    task = asyncio.create_task(Publisher().run())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def listening():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    yield lambda timeout=5.0: asyncio.wait_for(layer.receive(channel), timeout)


def test_a_page_gets_a_snapshot_at_once_and_then_what_is_published():
    async def test() -> None:
        async with page(User(username="ada", pk=1)) as ada:
            first = json.loads(await ada.text())
            assert first["throughput"]["per_s"] == 0
            assert first["tiles"][0]["name"] == "throughput"
            await get_channel_layer().group_send(GROUP, {"type": "snapshot", "text": '{"n": 2}'})
            assert await ada.text() == '{"n": 2}'

    run(test)


def test_who_is_not_logged_in_is_closed_with_a_code_that_says_so():
    async def test() -> None:
        async with page(AnonymousUser()) as nobody:
            closed = await nobody.receive_output(5)
            assert (closed["type"], closed["code"]) == ("websocket.close", NOT_LOGGED_IN)

    run(test)


def test_the_session_cookie_of_a_page_opens_its_connection_and_a_foreign_origin_does_not():
    client = Client()
    client.force_login(User.objects.create_user("ada"))
    cookie = f"sessionid={client.cookies['sessionid'].value}".encode()

    async def test() -> None:
        at_home = [(b"cookie", cookie), (b"host", b"localhost"), (b"origin", b"http://localhost")]
        browser = Browser(application, at_home)
        assert await browser.connect() == "websocket.accept"
        assert "tiles" in json.loads(await browser.text())
        await browser.leave()
        abroad = [*at_home[:2], (b"origin", b"http://elsewhere.example")]
        assert await Browser(application, abroad).connect() == "websocket.close"

    run(test)


def test_a_page_that_reads_slowly_gets_the_newest_snapshot_and_no_pile_of_old_ones():
    async def test() -> None:
        consumer = LiveConsumer()
        sent: list[str] = []
        room = asyncio.Event()

        async def slow_send(message: dict[str, str]) -> None:
            await room.wait()
            sent.append(message["text"])

        consumer.base_send = slow_send
        consumer._waiting, consumer._arrived = None, asyncio.Event()
        sending = asyncio.create_task(consumer._send_newest())
        for n in range(50):
            consumer.offer(message_of(str(n)))
            await asyncio.sleep(0)
        room.set()
        await asyncio.sleep(0.05)
        sending.cancel()
        assert sent == ["0", "49"]

    run(test)


def test_a_thousand_pages_are_one_subscription_that_ends_with_the_last(monkeypatch):
    decoded: list[int] = []
    layer_class = type(get_channel_layer())
    whole = layer_class.deserialize
    monkeypatch.setattr(
        layer_class, "deserialize", lambda self, message: (decoded.append(1), whole(self, message))[1]
    )

    async def test() -> None:
        pages = [Keeping() for _ in range(1000)]
        await asyncio.gather(*(hub().join(page) for page in pages))
        layer = get_channel_layer()
        assert len(layer._get_layer().channels) == 1
        await layer.group_send(GROUP, {"type": "snapshot", "text": "one for all"})
        await until(lambda: all(page.got for page in pages))
        assert {id(page.got[0]) for page in pages} == {id(pages[0].got[0])}
        assert pages[0].got == [message_of("one for all")]
        for page in pages[1:]:
            await hub().leave(page)
        await layer.group_send(GROUP, {"type": "snapshot", "text": "for one"})
        await until(lambda: len(pages[0].got) == 2)
        await hub().leave(pages[0])
        assert not layer._get_layer().channels

    run(test)
    assert len(decoded) == 2


def test_pages_are_told_to_come_back_when_redis_is_away(settings):
    layers = settings.CHANNEL_LAYERS["default"]
    away = {**layers, "CONFIG": {**layers["CONFIG"], "hosts": [f"redis://127.0.0.1:{free_port()}/0"]}}
    settings.CHANNEL_LAYERS = {"default": away}

    async def test() -> None:
        async with page(User(username="ada", pk=1, is_superuser=True)) as ada:
            closed = await ada.receive_output(5)
            assert (closed["type"], closed["code"]) == ("websocket.close", TRY_AGAIN)

    run(test)


class Keeping:
    """A page that keeps what it is shown."""

    def __init__(self) -> None:
        self.got: list[dict[str, str]] = []

    def offer(self, message: dict[str, str]) -> None:
        self.got.append(message)

    def lost(self) -> None:
        raise AssertionError("Redis is there")


async def until(is_true: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not is_true():  # noqa: ASYNC110 - nobody says when
            await asyncio.sleep(0.01)


def test_many_pages_that_open_at_once_cost_one_snapshot(monkeypatch):
    taken: list[int] = []
    whole = latest.take
    monkeypatch.setattr(latest, "take", lambda: (taken.append(1), whole())[1])

    async def test() -> None:
        texts = await asyncio.gather(
            *(sync_to_async(latest.newest, thread_sensitive=False)() for _ in range(20))
        )
        assert len(set(texts)) == 1

    run(test)
    assert len(taken) == 1


def test_a_snapshot_is_published_every_second():
    async def test() -> None:
        async with listening() as next_message, publishing():
            clock = asyncio.get_running_loop().time
            await next_message()
            since = clock()
            for _ in range(2):
                assert "tiles" in json.loads((await next_message())["text"])
            assert 1.5 < clock() - since < 10

    run(test)


def test_of_two_web_processes_one_publishes_and_the_other_takes_over(monkeypatch):
    monkeypatch.setattr(publisher, "ASK_TO_LEAD_EVERY_S", 0.2)

    async def test() -> None:
        async with listening() as next_message, publishing() as first:
            await next_message()
            async with publishing():
                await asyncio.sleep(1.2)
                assert await holders() == 1
                first.cancel()
                with suppress(asyncio.CancelledError):
                    await first
                while True:  # what the first had sent
                    with suppress(TimeoutError):
                        await next_message(0.05)
                        continue
                    break
                await next_message()
                assert await holders() == 1

    run(test)


def test_publishing_goes_on_after_the_database_cut_its_sessions(monkeypatch):
    monkeypatch.setattr(publisher, "FIRST_PAUSE_S", 0.1)

    async def test() -> None:
        async with listening() as next_message, publishing():
            await next_message()
            await sync_to_async(cut_sessions, thread_sensitive=True)()
            for _ in range(3):
                assert "tiles" in json.loads((await next_message(10))["text"])

    run(test)


def test_the_lifespan_answers_startup_and_shutdown():
    async def test() -> None:
        asked: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        answers: asyncio.Queue[dict[str, str]] = asyncio.Queue()
        task = asyncio.create_task(Lifespan()({"type": "lifespan"}, asked.get, answers.put))
        await asked.put({"type": "lifespan.startup"})
        assert await asyncio.wait_for(answers.get(), 5) == {"type": "lifespan.startup.complete"}
        await asyncio.sleep(0.3)
        await asked.put({"type": "lifespan.shutdown"})
        assert await asyncio.wait_for(answers.get(), 5) == {"type": "lifespan.shutdown.complete"}
        await task
        assert await holders() == 0

    run(test)


@sync_to_async
def holders() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted "
            "AND (classid::bigint << 32 | objid::bigint) = %s",
            [LOCK],
        )
        return cursor.fetchone()[0]


def cut_sessions() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_page_that_goes_while_it_is_sent_to_is_no_trouble_with_redis(caplog):
    async def test() -> None:
        async def receive() -> dict[str, str]:
            return {"type": "websocket.connect"}

        async def send(message: object) -> None:
            raise ClientDisconnected

        await LiveConsumer()({"type": "websocket", "path": "/ws/live/"}, receive, send)

    run(test)
    assert "Redis is away" not in caplog.text
