"""RedisService and RedisDatabase with a real server."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# (the client has parameters without types)

import re
from contextlib import ExitStack
from dataclasses import dataclass
from textwrap import dedent

import pytest
from redis.asyncio import Redis as Client

from looprig.declare.service import service_fixture
from looprig.exceptions import LooprigError
from looprig.kits.redis import RedisDatabase, RedisService
from looprig.services.rig import Rig, rig
from tests.kits.conftest import Run, is_gone
from tests.kits.servers import Redis, needs_redis
from tests.plugin.suite import run_apart
from tests.running import running

pytestmark = [needs_redis, pytest.mark.usefixtures("no_hang")]


@service_fixture
@dataclass(kw_only=True)
class Cache(RedisDatabase[Redis]):
    """A database for each test."""


@service_fixture(scope="run")
@dataclass(kw_only=True)
class Shared(RedisService):
    """A server that all workers share."""


def without_paths(text: str) -> str:
    return re.sub(r"(?m)^  \S+: ", "  ", text)


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
            assert await put(redis.url_of(0), "b") == ["a"]  # which was not cleared instead

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


def test_workers_with_servers_of_their_own_use_any_number(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw3")
        async with rig(Redis, settings={"databases": 2}) as redis:
            async with running(Cache(server=redis)) as cache:
                assert await put(cache.url, "a") == []
                with pytest.raises(LooprigError) as raised, redis.number():
                    pass
            assert str(raised.value).startswith("Redis has 2 databases, too few for worker gw3")

    run(scenario())


def test_a_shared_server_with_too_few_databases_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    redis = Shared(settings={"databases": 16})
    with pytest.raises(LooprigError) as raised, redis.number():
        pass
    assert without_paths(str(raised.value)) == (
        "Shared has 16 databases, too few for worker gw1, whose first is number 17: `RedisDatabase` leaves number 0 "
        "alone.\n"
        "  Shared\n"
        "Remove `databases` from its settings, or raise it: each worker has 16."
    )


def test_a_worker_never_takes_the_databases_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTEST_XDIST_WORKER", "gw1")
    redis = Shared()
    with ExitStack() as stack:
        assert [stack.enter_context(redis.number()) for _ in range(16)] == list(range(17, 33))
        with pytest.raises(LooprigError) as raised:
            stack.enter_context(redis.number())
    assert without_paths(str(raised.value)) == (
        "All 16 databases of Shared that are for this process are in use at the same time.\n"
        "  Shared\n"
        "Use fewer classes of databases at the same time, or tell their keys apart by a prefix."
    )


def test_workers_that_share_a_server_never_meet(pytester: pytest.Pytester) -> None:
    suite = """
    import asyncio
    from dataclasses import dataclass

    import pytest
    from looprig import service_fixture
    from looprig.kits import RedisDatabase, RedisService
    from redis.asyncio import Redis as Client

    @service_fixture(scope="run")
    @dataclass(kw_only=True)
    class Redis(RedisService): ...

    @service_fixture
    @dataclass(kw_only=True)
    class Cache(RedisDatabase[Redis]): ...

    @pytest.mark.parametrize("number", range(8))
    async def test_own(cache: Cache, number: int, worker_id: str):
        assert (cache.number - 1) // 16 == int(worker_id.removeprefix("gw"))
        async with Client.from_url(cache.url) as client:
            assert await client.incr("key") == 1
            await asyncio.sleep(0.02)  # meanwhile another worker's test runs
            assert await client.incr("key") == 2
    """
    run_apart(pytester, {"test_it.py": dedent(suite)}, "-pxdist", "-n2").assert_outcomes(passed=8)
