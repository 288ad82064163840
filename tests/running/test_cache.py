"""A cache whose Redis is away is an empty one."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eventhub.running.cache import ForgivingRedisCache, away
from eventhub.running.redis import EmbeddedRedis


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    away.forget()
    yield
    away.forget()


def test_without_redis_nothing_is_found_and_nothing_is_raised(caplog: pytest.LogCaptureFixture) -> None:
    cache = ForgivingRedisCache("redis://127.0.0.1:1/0", {})
    assert cache.get("a") is None
    assert cache.get("a", "else") == "else"
    assert not cache.add("a", 1)
    cache.set("a", 1)
    assert not cache.touch("a")
    assert not cache.delete("a")
    assert not cache.has_key("a")
    assert cache.get_many(["a", "b"]) == {}
    assert cache.set_many({"a": 1}) == ["a"]
    cache.delete_many(["a"])
    with pytest.raises(ValueError, match="Redis is away"):
        cache.incr("a")
    assert caplog.text.count("The cache is left out") == 1


def test_a_redis_that_hangs_is_waited_for_once_and_found_again(tmp_path: Path, monkeypatch) -> None:
    server = EmbeddedRedis(tmp_path / "redis", durable=False)
    server.start()
    try:
        cache = ForgivingRedisCache(server.url, {})
        cache.set("a", 1)
        process = server._process()
        assert process is not None
        process.suspend()
        assert cache.get("a") is None
        began = time.monotonic()
        assert [cache.get("a") for _ in range(100)] == [None] * 100
        assert time.monotonic() - began < 30  # and not a second each
        process.resume()
        monkeypatch.setattr("eventhub.running.cache.ASK_AGAIN_AFTER_S", 0.0)
        away.forget()
        assert cache.get("a") == 1
    finally:
        server.stop()


def test_a_redis_that_ended_is_started_at_its_old_address_with_its_data(tmp_path: Path) -> None:
    server = EmbeddedRedis(tmp_path / "redis")
    server.start()
    try:
        url, cache = server.url, ForgivingRedisCache(server.url, {})
        cache.set("a", 1, None)
        process = server._process()
        assert process is not None
        process.kill()
        process.wait(30)
        assert not server.is_running()
        server.start_again()
        assert server.url == url
        assert cache.get("a") == 1
    finally:
        server.stop()
