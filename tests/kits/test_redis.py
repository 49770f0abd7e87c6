"""RedisService and RedisDatabase with a real server."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (the client has parameters without types)

from dataclasses import dataclass

import pytest
from redis.asyncio import Redis as Client

from looprig.declare.service import service_fixture
from looprig.exceptions import LooprigError
from looprig.kits.redis import RedisDatabase
from looprig.services.rig import Rig, rig
from tests.kits.conftest import Run, is_gone
from tests.kits.servers import Redis, needs_redis
from tests.running import running

pytestmark = [needs_redis, pytest.mark.usefixtures("no_hang")]


@service_fixture
@dataclass(kw_only=True)
class Cache(RedisDatabase[Redis]):
    """A database for each test."""


async def put(url: str, key: str) -> list[str]:
    """Set a key, and return the keys that were there before."""
    async with Client.from_url(url, decode_responses=True) as client:
        before: list[str] = [key async for key in client.scan_iter()]
        await client.set(key, "1")
    return before


def test_it_serves_a_client_and_keeps_nothing(run: Run) -> None:
    async def scenario() -> None:
        async with rig(Redis, settings={"maxmemory": "64mb"}, database=2) as redis:
            assert redis.url == f"redis://127.0.0.1:{redis.port}/2"
            assert await put(redis.url, "a") == []
            async with Client.from_url(redis.url, decode_responses=True) as client:
                assert (await client.config_get("maxmemory"))["maxmemory"] == str(64 << 20)
                assert (await client.config_get("save"))["save"] == ""
            pid = redis.pid
        assert is_gone(pid)

    run(scenario())


def test_clearing_deletes_one_database_or_all(run: Run) -> None:
    async def scenario() -> None:
        async with rig(Redis) as redis:
            await put(redis.url_of(0), "a")
            await put(redis.url_of(1), "b")
            await redis.clear(1)
            assert await put(redis.url_of(1), "c") == []
            assert await put(redis.url_of(0), "a") == ["a"]
            await redis.clear()
            assert await put(redis.url_of(0), "a") == []
            with pytest.raises(LooprigError, match="Redis could not be cleared: ERR DB index is out of range"):
                await redis.clear(5000)

    run(scenario())


def test_each_use_of_a_database_begins_empty_and_apart(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with Rig() as running_all:
            redis = await running_all.start(Redis)
            async with running(Cache(server=redis)) as one, running(Cache(server=redis)) as other:
                assert await put(one.url, "a") == []
                assert await put(other.url, "a") == []
                monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw3")
                async with running(Cache(server=redis)) as of_another_worker:
                    assert await put(of_another_worker.url, "a") == []
                monkeypatch.delenv("PYTEST_XDIST_WORKER")
                number = one.number
                assert await put(one.url, "b") == ["a"]
            async with running(Cache(server=redis)) as again:
                assert again.number == number
                assert await put(again.url, "a") == []

    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    run(scenario())
