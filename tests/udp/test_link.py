"""The sockets of a proxy: each answer reaches its client, errors are reported, and nothing is left."""

import asyncio
import math
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pytest

from looprig import DatagramProxy, DeclarationError, ProxyError
from looprig.toxics import Effect, End, Flow, Send
from looprig.toxics.rule import ConnectionInfo
from looprig.toxics.udp import Latency, Loss, Toxic
from tests.udp.conftest import Run
from tests.udp.peers import Client, Service, numbered, proxied, tasks_and_fds


def test_each_client_gets_its_own_answers(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(Latency(0.01, jitter=0.01), echoes=True) as (proxy, service, _):
            clients = [Client(proxy.address) for _ in range(20)]
            for number, client in enumerate(clients):
                client.send(*[b"%d for %d" % (each, number) for each in range(5)])
            for number, client in enumerate(clients):
                assert sorted(await client.has(5)) == [b"%d for %d" % (each, number) for each in range(5)]
            assert len(set(service.senders)) == 20
            await proxy.wait_connections(20)
            assert [connection.index for connection in proxy.connections] == [*range(20)]
            assert {connection.client for connection in proxy.connections} == {
                "{}:{}".format(*client.socket.getsockname()) for client in clients
            }
            for client in clients:
                client.close()

    run(scenario())


def test_a_thousand_clients_leave_no_socket_task_or_timer(run: Run) -> None:
    async def scenario() -> None:
        before = tasks_and_fds()
        for _ in range(10):
            async with proxied(Latency(0.001), echoes=True) as (proxy, _, _):
                clients = [Client(proxy.address) for _ in range(100)]
                for client in clients:
                    client.send(b"?")
                await clients[-1].has(1)
                for client in clients:
                    client.close()
                link = proxy._running()
            assert not link._sender._schedule
            assert link._sender._timer is None
            assert link._idle_timer is None
        assert tasks_and_fds() == before

    run(scenario())


def test_a_proxy_that_ends_at_once_leaves_nothing(run: Run) -> None:
    """Even while the sockets of its clients are being created."""

    async def scenario() -> None:
        before = tasks_and_fds()
        for _ in range(50):
            async with proxied(echoes=True) as (_, _, client):
                client.send(b"?")
            async with proxied(echoes=True) as (_, service, client):
                client.send(b"?")
                await service.has(1)
        assert tasks_and_fds() == before

    run(scenario())


def test_what_is_held_when_a_proxy_ends_is_sent(run: Run) -> None:
    async def scenario() -> None:
        with Service() as service:
            async with DatagramProxy(service.address, toxics=[Latency(60.0)]) as proxy:
                with Client(proxy.address) as client:
                    client.send(*numbered(10))
            assert await service.has(10) == numbered(10)
            assert proxy.events[-1].kind == "closed"

    run(scenario())


def test_the_port_is_held_until_the_end(run: Run) -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, _, _):
            address = proxy.address
            with proxy.unreachable(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                with pytest.raises(OSError, match="in use"):
                    other.bind(address)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(address)

    run(scenario())


def test_a_service_that_is_not_there_is_told_once_of_each_connection(run: Run) -> None:
    async def scenario() -> None:
        with Service() as gone:
            address = gone.address
        async with DatagramProxy(address) as proxy:
            with Client(proxy.address) as client, Client(proxy.address) as other:
                for _ in range(3):
                    client.send(b"?", b"?")
                    other.send(b"?")
                    with proxy.apply():
                        pass
                await _until(lambda: len([event for event in proxy.events if event.kind == "refused"]) >= 2)
                errors = proxy.take_errors()
                where = "{}:{}".format(*address)
                assert sorted(str(error).splitlines()[0] for error in errors) == [
                    f"Connection #{index} found no service at {where}: [Errno 111] Connection refused."
                    for index in (0, 1)
                ]
                assert all(isinstance(error.__cause__, ConnectionRefusedError) for error in errors)

    run(scenario())


def test_a_service_that_comes_late_is_reached_by_the_next_datagram(run: Run) -> None:
    """Whatever the loop does with an error of the socket, the proxy goes on reading."""

    async def scenario() -> None:
        with Service() as gone:
            address = gone.address
        async with DatagramProxy(address) as proxy:
            with Client(proxy.address) as client:
                client.send(b"into the void")
                await _until(lambda: any(event.kind == "refused" for event in proxy.events))
                assert len(proxy.take_errors()) == 1
                with Service(*address, echoes=True):
                    client.send(b"?", b"??")
                    assert await client.has(2) == [b"?", b"??"]

    run(scenario())


@dataclass(frozen=True, slots=True)
class Broken(Toxic):
    """Raises for one datagram."""

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data)
        if data == b"bad":
            raise ValueError("bad luck")


@dataclass(frozen=True, slots=True)
class OfTcp(Toxic):
    """Says what cannot be said of a datagram."""

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield End()


@dataclass(frozen=True, slots=True)
class Grow(Toxic):
    """Makes a datagram larger than one can be."""

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send(data * 70_000)


@dataclass(frozen=True, slots=True)
class NoBytes(Toxic):
    """Sends text."""

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        yield Send("text")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]


def test_a_toxic_that_raises_loses_the_datagram_and_is_told(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(Broken(direction="upstream")) as (proxy, service, client):
            client.send(b"good", b"bad", b"good too")
            assert await service.has(2) == [b"good", b"good too"]
            (error,) = proxy.take_errors()
            assert "Broken raised on connection #0: ValueError: bad luck." in str(error)
            assert "test_link.py" in str(error)
            assert isinstance(error.__cause__, ValueError)
            assert "upstream error Broken lost datagram 1: ValueError: bad luck" in proxy.faults(0)

    run(scenario())


@pytest.mark.parametrize(
    ("toxic", "told"),
    [
        (OfTcp(), "OfTcp raised on connection #0: TypeError: OfTcp yielded End(after=0.0): a toxic for UDP can only"),
        (NoBytes(), "NoBytes raised on connection #0: DeclarationError: Send was given data='text'.\n"),
        (Grow(), "On connection #0 a datagram of 70000 bytes could not be sent to 127.0.0.1:"),
    ],
)
def test_what_cannot_be_sent_is_told_and_lost(run: Run, toxic: Toxic, told: str) -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            with proxy.apply(toxic):
                client.send(b"x")
            client.send(b"after")
            assert await service.has(1) == [b"after"]
            (error,) = proxy.take_errors()
            assert told in str(error)

    run(scenario())


def test_errors_that_nobody_took_are_raised_at_the_end(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(ExceptionGroup, match="DatagramProxy had unhandled errors") as caught:
            async with proxied(Broken()) as (_, _, client):
                client.send(b"bad")
        assert [type(error) for error in caught.value.exceptions] == [ProxyError]

    run(scenario())


def test_a_when_that_raises_is_told_and_the_connection_goes_on_without(run: Run) -> None:
    def bad(_: ConnectionInfo) -> bool:
        raise ValueError("bad luck")

    async def scenario() -> None:
        async with proxied(Loss(1.0, when=bad)) as (proxy, service, client):
            client.send(b"one", b"two")
            assert await service.has(2) == [b"one", b"two"]
            (error,) = proxy.take_errors()
            assert "The `when` of a toxic raised on connection #0: ValueError: bad luck." in str(error)

    run(scenario())


def test_a_client_that_is_silent_for_too_long_is_forgotten(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(echoes=True, idle_timeout=0.05) as (proxy, service, client):
            before = tasks_and_fds()
            client.send(b"one")
            await client.has(1)
            (connection,) = proxy.connections
            was_open = connection.is_open
            await proxy.wait_connections(0)
            assert (was_open, connection.is_open) == (True, False)
            await _until(lambda: tasks_and_fds() == before)
            client.send(b"two")
            assert await client.has(2) == [b"one", b"two"]
            assert proxy.connections[0].index == 1
            assert len(set(service.senders)) == 2

    run(scenario())


def test_a_client_is_forgotten_only_when_what_was_held_for_it_is_long_gone(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(Latency(0.1), idle_timeout=0.08) as (proxy, service, client):
            began = time.monotonic()
            client.send(b"?")
            assert await service.has(1) == [b"?"]
            await proxy.wait_connections(0)
            assert time.monotonic() - began >= 0.18

    run(scenario())


def test_without_an_end_to_its_patience_a_proxy_forgets_nobody(run: Run) -> None:
    async def scenario() -> None:
        async with proxied(echoes=True, idle_timeout=math.inf) as (proxy, _, client):
            client.send(b"?")
            assert await client.has(1) == [b"?"]
            assert proxy.connections[0].is_open

    run(scenario())


def test_a_client_that_has_gone_is_no_error(run: Run) -> None:
    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            client.send(b"?")
            await service.has(1)
            with Client(proxy.address) as other:
                other.send(b"?")
                await service.has(2)
            for _ in range(3):
                service.socket.sendto(b"!", service.senders[1])
            with proxy.apply():
                pass
            service.socket.sendto(b"!", service.senders[0])
            assert await client.has(1) == [b"!"]
            assert proxy.take_errors() == []

    run(scenario())


def test_an_idle_timeout_of_nothing_is_refused(run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(DeclarationError, match="was given idle_timeout=0"):
            async with DatagramProxy(("127.0.0.1", 9), idle_timeout=0):
                pass

    run(scenario())


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - of what nobody tells
            await asyncio.sleep(0)


@dataclass(frozen=True, slots=True)
class Failing(Toxic):
    """Ends the test, as an assertion of pytest does."""

    def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:
        pytest.fail("not this one")


@dataclass(frozen=True, slots=True)
class NoGenerator(Toxic):
    """Is written as a coroutine function."""

    async def on_datagram(self, data: bytes, flow: Flow) -> Iterable[Effect]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        return [Send(data)]


@pytest.mark.parametrize(
    ("toxic", "told"),
    [
        (Failing(), "Failing raised on connection #0: Failed: not this one."),
        (NoGenerator(), "NoGenerator raised on connection #0: TypeError: NoGenerator returned <coroutine object"),
    ],
)
def test_an_error_of_any_kind_in_a_toxic_is_reported(run: Run, toxic: Toxic, told: str) -> None:
    """Outcomes of pytest, which aren't `Exception`s, included."""

    async def scenario() -> None:
        async with proxied() as (proxy, service, client):
            with proxy.apply(toxic):
                client.send(b"x")
            client.send(b"after")
            assert await service.has(1) == [b"after"]
            (error,) = proxy.take_errors()
            assert told in str(error)

    run(scenario())


def test_a_when_that_fails_the_test_is_reported(run: Run) -> None:
    def bad(_: ConnectionInfo) -> bool:
        pytest.fail("not this one")

    async def scenario() -> None:
        async with proxied(Loss(1.0, when=bad)) as (proxy, service, client):
            client.send(b"one")
            assert await service.has(1) == [b"one"]
            (error,) = proxy.take_errors()
            assert "The `when` of a toxic raised on connection #0: Failed: not this one." in str(error)

    run(scenario())
