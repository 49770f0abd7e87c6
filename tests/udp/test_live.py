"""Toxics applied and removed while datagrams are under way, and a service that can't be reached."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from looprig import DeclarationError, LooprigError, TcpProxy, toxics
from looprig.toxics import Effect, Flow, Send
from looprig.toxics.rule import ConnectionInfo
from looprig.toxics.udp import Duplication, Latency, Loss, Reordering, Toxic
from tests.udp.conftest import Run
from tests.udp.peers import MANY, Client, numbered, proxied


def test_what_a_toxic_held_back_goes_on_at_once_when_it_is_taken_off(run: Run) -> None:
    """In their original order, whatever the delays were, and before later ones."""
    sent = numbered()

    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            with proxy.apply(Latency(60.0, jitter=30.0)):
                client.send(*sent)
            client.send(b"later")
            assert await service.has(MANY + 1) == [*sent, b"later"]
            assert proxy.connections[0].held == 0

    run(scenario())


def test_only_the_delays_of_the_toxic_that_is_taken_off_go(run: Run) -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            with proxy.apply(Latency(60.0)):
                with proxy.apply(Latency(90.0, jitter=30.0)):
                    client.send(*numbered())
                client.send(b"later")
                with proxy.apply():
                    pass
                assert service.received == []
                assert proxy.connections[0].held == MANY + 1
            assert await service.has(MANY + 1) == [*numbered(), b"later"]

    run(scenario())


def test_a_toxic_is_for_what_is_sent_after_it_is_put_on(run: Run) -> None:
    """Although the proxy hasn't read it yet."""

    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            client.send(*numbered(10))
            with proxy.apply(Loss(1.0)):
                client.send(b"lost")
            client.send(b"after")
            assert await service.has(11) == [*numbered(10), b"after"]

    run(scenario())


def test_a_toxic_meets_the_connections_there_are_and_those_to_come(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(echoes=True) as (proxy, _, client):
            client.send(b"one")
            await client.has(1)
            with Client(proxy.address) as other, proxy.apply(Duplication(1.0, direction="downstream")) as applied:
                client.send(b"two")
                other.send(b"two")
                assert await client.has(3) == [b"one", b"two", b"two"]
                assert await other.has(2) == [b"two", b"two"]
            assert applied.struck == (0, 1)

    run(scenario())


def test_probability_first_and_when_choose_connections(run: Run) -> None:
    def is_even(connection: ConnectionInfo) -> bool:
        return connection.index % 2 == 0

    async def scenario() -> None:
        async with proxied(echoes=True) as (proxy, _, _):
            with (
                proxy.apply(Loss(0.0, probability=0.5)) as some,
                proxy.apply(Loss(0.0, first=2)) as early,
                proxy.apply(Loss(0.0, when=is_even)) as even,
            ):
                for _ in range(10):
                    with Client(proxy.address) as client:
                        client.send(b"?")
                        await client.has(1)
            assert 0 < len(some.struck) < 10
            assert early.struck == (0, 1)
            assert even.struck == (0, 2, 4, 6, 8)

    run(scenario())


def test_a_service_that_is_unreachable_gets_nothing_and_nobody_is_told(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(echoes=True) as (proxy, service, client):
            client.send(b"before")
            await client.has(1)
            with proxy.unreachable(), Client(proxy.address) as other:
                client.send(b"lost")
                other.send(b"lost")
                with proxy.unreachable():
                    pass
                client.send(b"lost")
            client.send(b"after")
            assert await client.has(2) == [b"before", b"after"]
            assert service.received == [b"before", b"after"]
            assert [event.detail for event in proxy.events if event.kind == "link"] == [
                "unreachable",
                "unreachable",
                "unreachable no more; 0 datagrams were lost",
                "unreachable no more; 3 datagrams were lost",
            ]
            assert len(proxy.connections) == 1
            assert proxy.take_errors() == []

    run(scenario())


def test_answers_are_lost_as_well_while_a_service_is_unreachable(run: Run) -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            client.send(b"?")
            await service.has(1)
            with proxy.unreachable():
                service.socket.sendto(b"lost", service.senders[0])
            service.socket.sendto(b"!", service.senders[0])
            assert await client.has(1) == [b"!"]

    run(scenario())


def test_what_is_on_its_way_arrives_though_the_service_is_unreachable(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(Reordering(1.0, 0.05, direction="upstream")) as (proxy, service, client):
            client.send(b"on its way")
            with proxy.unreachable():
                assert await service.has(1) == [b"on its way"]

    run(scenario())


def test_toxics_of_the_other_kind_are_refused(run: Run) -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, _, _):
            with (
                pytest.raises(DeclarationError, match="but isn't a toxic for UDP"),
                proxy.apply(toxics.Latency(0.1)),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            ):
                pass
            with (
                pytest.raises(DeclarationError, match=r"Write Loss\(\.\.\.\)"),
                proxy.apply(Loss),  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
            ):
                pass
            with pytest.raises(DeclarationError, match="isn't a toxic for TCP"):
                async with TcpProxy(
                    proxy.address,
                    toxics=[Loss(0.1)],  # type: ignore[list-item]  # pyright: ignore[reportArgumentType]
                ):
                    pass

    run(scenario())


@dataclass(slots=True)
class Met:
    """A toxic's state."""

    count: int = 0


@dataclass(frozen=True, slots=True)
class Shout(Toxic):
    """A toxic of the suite's own, which gets the number of each datagram and keeps a state between them."""

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        met = flow.state(Met)
        met.count += 1
        yield Send(b"%d %d " % (flow.seen, met.count) + data.upper())


def test_a_toxic_of_ones_own(run: Run) -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            client.send(b"a")
            with proxy.apply(Shout()):
                client.send(b"b", b"c")
            client.send(b"d")
            assert await service.has(4) == [b"a", b"1 1 B", b"2 2 C", b"d"]

    run(scenario())


def test_a_proxy_that_does_not_run_says_so(run: Run) -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, _, _):
            assert repr(proxy) == f"<DatagramProxy: 127.0.0.1:{proxy.port}>"
        with pytest.raises(LooprigError, match="DatagramProxy isn't running"), proxy.apply(Loss(0.1)):
            pass
        with pytest.raises(LooprigError, match="DatagramProxy isn't running"):
            _ = proxy.port
        assert repr(proxy) == "<DatagramProxy: not running>"
        assert "seed 20251" in proxy.render()

    run(scenario())


def test_a_block_that_is_never_entered_is_an_error(run: Run) -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            proxy.unreachable()
            proxy.apply(Loss(1.0))
            client.send(b"not lost")
            assert await service.has(1) == [b"not lost"]
            told = [str(error).splitlines() for error in proxy.take_errors()]
            assert [lines[0] for lines in told] == [
                "DatagramProxy.unreachable() was never entered, so it did nothing.",
                "DatagramProxy.apply(Loss(rate=1.0)) was never entered, so it did nothing.",
            ]
            assert all("test_live.py" in lines[1] for lines in told)

    run(scenario())


def test_waiting_for_connections_ends_with_the_proxy(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(echoes=True) as (proxy, _, client):
            client.send(b"?")
            await client.has(1)
            for_two = asyncio.create_task(proxy.wait_connections(2))
            for_none = asyncio.create_task(proxy.wait_connections(0))
            await asyncio.sleep(0)
        with pytest.raises(LooprigError, match="The proxy ended while 2 connections were waited for"):
            await for_two
        await for_none

    run(scenario())


@dataclass(frozen=True, slots=True)
class Inner(Toxic):
    """Applies a toxic, or leaves a block, while it is asked about a datagram."""

    does: Callable[[], object] = print

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(b"%d " % flow.seen + data, 60.0)
        if data == b"now":
            self.does()
        yield Send(b"%d again" % flow.seen)


def test_a_toxic_that_applies_another_is_not_disturbed_by_what_arrives_meanwhile(run: Run) -> None:
    """To put a toxic on, the proxy reads what has arrived: that has to wait for the datagram in hand."""

    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            with ExitStack() as stack, proxy.apply(Inner(lambda: stack.enter_context(proxy.apply(Loss(1.0))))):
                client.send(b"now", b"queued")
                await service.has(2)
                client.send(b"lost")
                with proxy.apply():
                    pass
            assert await service.has(4) == [b"0 again", b"1 again", b"0 now", b"1 queued"]

    run(scenario())


def test_a_toxic_may_end_its_own_block(run: Run) -> None:
    """The copies that it holds back go on at once, and it is not asked about the next datagram."""

    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            stack = ExitStack()
            stack.enter_context(proxy.apply(Inner(stack.close)))
            client.send(b"now", b"next")
            assert await service.has(3) == [b"0 now", b"0 again", b"next"]

    run(scenario())
