"""Declarations as type checkers see them; nothing here runs. A stale ignore fails (`warn_unused_ignores`)."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, Protocol, Self, assert_type

from looprig import (
    Context,
    DatagramProxy,
    Fixture,
    Key,
    LoopConfig,
    ProcessService,
    Proxy,
    Rig,
    TcpService,
    Through,
    UdpProxy,
    ask,
    call_service,
    current_context,
    loop_config,
    proxy_fixture,
    rig,
    service_fixture,
    timeout,
)
from looprig.toxics import Latency, udp
from looprig.toxics.udp import Loss


class Clock(Protocol):
    """A Protocol that a service provides."""

    def now(self) -> float: ...


@service_fixture(scope="session", name="the_clock", provides=Clock, autouse=True, start_timeout=2.5)
class WallClock:
    """A service with `start` and `stop`."""

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    def now(self) -> float:
        return 0.0


@service_fixture
class Runner:
    """A service with `run`."""

    async def run(self) -> AsyncGenerator[None]:
        yield


@service_fixture
class Entered:
    """A service that is a context manager and returns itself."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None: ...
    def now(self) -> float:
        return 0.0


@service_fixture(scope="package")
@dataclass(kw_only=True)
class Server(TcpService):
    """A service with dependencies."""

    clock: Clock
    name: Annotated[str, Fixture("server_name")]
    size: int = 20

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()


@service_fixture(scope="function")
class FreshServer(Server):
    """The same service with another scope."""


@service_fixture(scope="module", in_thread=True)
class Threaded(Server):
    """The same service in a thread."""

    async def count(self) -> int:
        return self.size


@service_fixture(scope="session")
@dataclass(kw_only=True)
class Dns(ProcessService):
    """A service with an address."""

    def command(self) -> list[str]:
        return ["dns"]


@proxy_fixture(scope="package", name="slow")
@dataclass(kw_only=True)
class SlowServer(Proxy[Server]):
    """A proxy in front of one service."""


@proxy_fixture
@dataclass(kw_only=True)
class LossyDns(UdpProxy[Dns]):
    """A proxy in front of the other."""

    seed: int | None = 1


async def what_is_declared_keeps_its_type() -> None:
    assert_type(WallClock(), WallClock)
    assert_type(Server(clock=WallClock(), name="x").size, int)
    assert_type(SlowServer(service=Server(clock=WallClock(), name="x")), SlowServer)
    async with rig(Server, size=3) as server:
        assert_type(server, Server)
        async with rig(server, size=4) as other, rig(FreshServer(clock=WallClock(), name="x")) as fresh:
            assert_type(other, Server)
            assert_type(fresh, FreshServer)
    async with Rig() as many:
        assert_type(await many.start(Runner), Runner)


def what_a_service_in_a_thread_returns(threaded: Threaded) -> None:
    assert_type(call_service(threaded.count()), int)
    call_service(threaded.size)  # type: ignore[arg-type]


async def what_asking_gives() -> None:
    assert_type(await ask(Server), Server)
    assert_type(await ask("server_name", str), str)
    await ask("server_name", "str")  # type: ignore[call-overload]
    assert_type(await ask("anything", int), int)
    assert_type(await ask(Proxy[Server]), Proxy[Server])
    assert_type(await ask(UdpProxy[Dns]), UdpProxy[Dns])
    assert_type(await ask(SlowServer), SlowServer)
    await ask(3)  # type: ignore[call-overload]
    await ask(int)  # type: ignore[type-var]
    await ask(Half)  # type: ignore[type-var]


class Nothing:
    """A class without a lifecycle."""


class Half:
    """A class that can't be stopped."""

    async def start(self) -> None: ...


class Whole(Half):
    """A service."""

    async def stop(self) -> None: ...


def what_a_service_must_be() -> None:
    assert_type(service_fixture(Whole), type[Whole])
    assert_type(service_fixture(scope="class")(Whole), type[Whole])
    service_fixture(Nothing)  # type: ignore[type-var]
    service_fixture(scope="session")(Half)  # type: ignore[type-var]
    service_fixture(scope="forever")  # type: ignore[call-overload]
    rig(Nothing)  # type: ignore[type-var]
    proxy_fixture(scope="module")(Whole)  # type: ignore[type-var]


def what_loops_take() -> None:
    assert_type(loop_config(scope="module", debug=True, timeout=1.0), LoopConfig)
    loop_config(factories={"asyncio": asyncio.new_event_loop})
    loop_config(scope="modul")  # type: ignore[arg-type]
    loop_config(timeout="1")  # type: ignore[arg-type]
    loop_config(factory=5)  # type: ignore[arg-type]
    timeout("5")  # type: ignore[arg-type]
    timeout(5)(3)  # type: ignore[type-var]


@timeout(2.5)
async def what_a_time_limit_keeps(number: int) -> str:
    return str(number)


async def what_a_context_gives() -> None:
    context = current_context()
    assert_type(context, Context)
    assert_type(await context.wait(Key[str]("dsn")), str)
    context.set(Key[int]("size"), "3")  # type: ignore[misc]
    assert_type(await what_a_time_limit_keeps(1), str)


async def what_datagram_proxies_take(lossy: LossyDns) -> None:
    assert_type(lossy.service, Dns)
    with lossy.apply(Loss(0.5), udp.Latency(0.1)):
        pass
    with lossy.apply(Latency(0.1)):  # type: ignore[arg-type]
        pass
    async with DatagramProxy(("127.0.0.1", 53), toxics=[Loss(0.1)]) as proxy:
        assert_type(proxy.port, int)
    Loss("0.5")  # type: ignore[arg-type]


def what_goes_through(server: Annotated[Server, Through(SlowServer)]) -> None:
    assert_type(server.size, int)
    Through(Proxy)
    Through(UdpProxy)
    Through(3)  # type: ignore[arg-type]
    Through(int)  # type: ignore[arg-type]
    Through("SlowServer")  # type: ignore[arg-type]
    Through(Server)  # type: ignore[arg-type]
    Fixture(3)  # type: ignore[arg-type]
