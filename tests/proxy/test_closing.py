"""Ends that don't go as planned: cancelled, not awaited, or with peers that are slow or still sending."""

import asyncio
import gc
import socket
from contextlib import ExitStack
from typing import Any

import pytest

from looprig import LooprigError, TcpProxy
from looprig.aiomisc.proxy import AiomiscProxy
from looprig.net.tcp import connection as connection_module
from looprig.toxics import HalfClose, Latency
from tests.proxy.conftest import Run
from tests.proxy.peers import (
    Echo,
    Gate,
    Pouring,
    proxied,
    raw_client,
    serving,
    tasks_and_fds,
    until,
)


def test_disconnect_all_gives_a_client_that_reads_slowly_and_still_sends_all_that_was_held(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a socket is closed with unread data, it is reset, and loses what it hasn't sent."""
    size = 4 << 20
    monkeypatch.setattr(connection_module, "_LAST_LOOKS", 20)  # so that 0.2 s aren't enough for everything

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with (
            proxied(lambda: Pouring(pours=bytes(size))) as proxy,
            raw_client(proxy.address, takes=1 << 14) as client,
        ):
            with proxy.apply(Latency(30.0, direction="downstream")):
                await proxy.wait_connections(1)
                (connection,) = proxy.connections
                await until(lambda: connection.held == size)
                disconnecting = asyncio.create_task(proxy.disconnect_all(grace=30.0))
                read = 0
                while data := await loop.sock_recv(client, 1 << 14):
                    read += len(data)
                    await asyncio.sleep(0.001)  # its pace
                    await loop.sock_sendall(client, bytes(100))
            assert read == size
            await disconnecting
            assert not any(event.kind == "reset" for event in proxy.events)

    run(scenario())


def test_a_half_close_of_both_directions_resets_no_peer_that_still_sends(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection_module, "_LAST_LOOKS", 10_000)  # no limit to its last looks here

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with (
            proxied(Echo, toxics=(HalfClose(5, direction="both"),)) as proxy,
            raw_client(proxy.address) as client,
        ):
            await loop.sock_sendall(client, b"hello")
            received = b""
            while data := await loop.sock_recv(client, 100):
                received += data
            assert received == b"hello"
            for _ in range(20):
                await asyncio.sleep(0.001)
                await loop.sock_sendall(client, bytes(1000))
            assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0

    run(scenario())


def test_an_end_that_is_cancelled_leaves_nothing(run: Run) -> None:
    async def scenario() -> None:
        async with serving(Pouring) as address:
            before = tasks_and_fds()
            proxy = await TcpProxy(address).__aenter__()
            link = proxy._running()
            async with raw_client(proxy.address) as client:
                await proxy.wait_connections(1)
                await until(lambda: proxy.connections[0].held >= 1 << 16)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):  # less than the proxy gives its peers
                        await proxy.__aexit__(None, None, None)
                await until(lambda: not link.connections)
                assert client.fileno() != -1
            await until(lambda: tasks_and_fds() == before)

    run(scenario())


def test_an_end_that_is_cancelled_cancels_what_toxics_await(run: Run) -> None:
    async def scenario() -> None:
        gate = Gate()
        async with serving(Echo) as address:
            before = tasks_and_fds()
            proxy = AiomiscProxy(*address)
            await proxy.start()
            link = proxy._running()
            proxy.set_content_processors(gate, None)
            async with raw_client(proxy.address) as client:
                await asyncio.get_running_loop().sock_sendall(client, b"awaited")
                await until(lambda: gate.entered == 1)
                with pytest.raises(TimeoutError):
                    await proxy.close(timeout=0.05)
                await until(lambda: not link.connections)
            await until(lambda: tasks_and_fds() == before)
            await proxy.close()

    run(scenario())


def test_aiomiscs_disconnect_all_need_not_be_awaited(run: Run) -> None:
    async def scenario() -> None:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        async with serving(Echo) as address:
            async with AiomiscProxy(*address) as proxy:
                reader, writer = await proxy.create_client()
                await proxy.wait_connections(1)
                proxy.disconnect_all()
            assert await reader.read() == b""
            writer.close()
        gc.collect()
        assert told == []

    run(scenario())


def test_a_proxy_begins_once(run: Run) -> None:
    async def scenario() -> None:
        async with serving(Echo) as address:
            proxy = AiomiscProxy(*address)
            await proxy.start()
            where = proxy.address
            with pytest.raises(LooprigError, match=r"AiomiscProxy is already running\.\n  .*test_closing\.py:"):
                await proxy.start()
            assert proxy.address == where
            await proxy.close()
            with pytest.raises(ConnectionRefusedError):
                await asyncio.open_connection(*where)

    run(scenario())


def test_who_waits_for_connections_is_told_that_the_proxy_has_ended(run: Run) -> None:
    async def scenario() -> None:
        async with serving(Echo) as address:
            async with TcpProxy(address) as proxy:
                waiting = asyncio.create_task(proxy.wait_connections(2))
                none = asyncio.create_task(proxy.wait_connections(0))
                await asyncio.sleep(0)
                assert not waiting.done()
            with pytest.raises(LooprigError, match=r"ended while 2 connections were waited for\.\n  .*TcpProxy"):
                await waiting
            await none

    run(scenario())


@pytest.mark.parametrize("is_down", [False, True])
def test_clients_that_wait_to_be_accepted_are_reset_when_the_proxy_ends(run: Run, *, is_down: bool) -> None:
    """While the proxy is down they wait in the proxy itself, and before that in the kernel."""

    async def scenario() -> None:
        async with serving(Echo) as address:
            with ExitStack() as states:
                async with TcpProxy(address) as proxy:
                    states.enter_context(proxy.accept_paused())
                    reader, writer = await asyncio.open_connection(*proxy.address)
                    if is_down:
                        states.enter_context(proxy.down(reset=False))
                with pytest.raises(ConnectionResetError):
                    await reader.read()
            writer.close()

    run(scenario())
