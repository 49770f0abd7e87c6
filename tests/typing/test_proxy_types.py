"""Proxies and toxics as mypy and pyright see them; nothing here runs. A stale ignore fails (`warn_unused_ignores`)."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, assert_type

from aiohttp import web

from looprig import (
    AiohttpService,
    Proxy,
    ProxyError,
    TcpProxy,
    TcpService,
    TestClient,
    Through,
    proxy_fixture,
    service_fixture,
)
from looprig.net import Applied, ProxyEvent
from looprig.net.tcp import ProxyConnection
from looprig.toxics import Effect, Flow, Latency, Reset, Send, Toxic, Transform


@service_fixture(scope="module")
@dataclass(kw_only=True)
class Db(TcpService):
    """A service behind a proxy."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()


@proxy_fixture(scope="module")
@dataclass(kw_only=True)
class SlowDb(Proxy[Db]):
    """A declared proxy."""

    seed: int | None = 7
    toxics: Sequence[Toxic] = (Latency(0.1),)


@service_fixture(scope="module")
@dataclass(kw_only=True)
class Rest(AiohttpService):
    """A service that connects through a proxy."""

    db: Annotated[Db, Through(SlowDb)]

    async def create_app(self) -> web.Application:
        return web.Application()


class Nowhere:
    """A service without an address."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Shout(Toxic):
    """A suite's own toxic."""

    def on_data(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data.upper())


async def what_a_proxy_gives(proxy: Proxy[Rest], slow: SlowDb, rest: Rest) -> None:
    assert_type(proxy.service, Rest)
    assert_type(proxy.routed, Rest)
    assert_type(slow.service, Db)
    assert_type(rest.db, Db)
    assert_type(proxy.port, int)
    assert_type(proxy.connections, tuple[ProxyConnection, ...])
    assert_type(proxy.events, tuple[ProxyEvent, ...])
    assert_type(proxy.take_errors(), list[ProxyError])
    with proxy.apply(Reset(after_bytes=1), Shout(first=1, direction="upstream")) as applied:
        assert_type(applied, Applied)
    general: Proxy[Db] = slow
    del general


async def what_clients_give(of_proxy: TestClient[Proxy[Rest]], through: Annotated[TestClient[Rest], Through()]) -> None:
    assert_type(of_proxy.service, Proxy[Rest])
    assert_type(of_proxy.service.service, Rest)
    assert_type(through.service, Rest)


async def what_is_refused(proxy: Proxy[Rest]) -> None:
    with proxy.apply(Reset):  # type: ignore[arg-type]
        pass
    with proxy.apply(Reset(direction="up")):  # type: ignore[arg-type]
        pass
    with proxy.apply(Latency()):  # type: ignore[call-arg]
        pass
    with proxy.apply(Transform(str.upper)):  # type: ignore[arg-type]
        pass
    proxy.service.nothing  # type: ignore[attr-defined]  # noqa: B018 - asking is what is refused


def who_has_no_address(proxy: Proxy[Nowhere]) -> None:  # type: ignore[type-var]
    del proxy


async def by_hand() -> None:
    async with TcpProxy(("127.0.0.1", 1), toxics=[Latency(0.1)]) as proxy:
        assert_type(proxy, TcpProxy)
    async with TcpProxy("/run/service.sock", window=1 << 20):
        pass
    TcpProxy(1)  # type: ignore[arg-type]
