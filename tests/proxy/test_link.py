"""The link as a whole: refused, unreachable, not accepted, cut; and the port that it keeps meanwhile."""

import asyncio
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from looprig import LooprigError, TcpProxy
from tests.proxy.conftest import Run
from tests.proxy.peers import Echo, echoing, meet, proxied

TAKER = """
import socket, sys
port, taken = int(sys.argv[1]), 0
print("ready", flush=True)
while not sys.stdin.closed:
    for option in (None, socket.SO_REUSEADDR, socket.SO_REUSEPORT):
        with socket.socket() as taker:
            if option is not None:
                taker.setsockopt(socket.SOL_SOCKET, option, 1)
            try:
                taker.bind(("127.0.0.1", port))
            except OSError:
                continue
            print("taken", flush=True)
"""


async def refused(proxy: TcpProxy) -> bool:
    try:
        _, writer = await asyncio.open_connection(*proxy.address)
    except ConnectionRefusedError:
        return True
    writer.close()
    return False


def test_down_refuses_and_the_port_stays_ours_while_8_processes_try_to_take_it(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            port = proxy.port
            takers = [
                subprocess.Popen(  # noqa: ASYNC220 - they are to run beside the loop
                    [sys.executable, "-c", TAKER, str(port)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
                for _ in range(8)
            ]
            try:
                for taker in takers:
                    assert taker.stdout is not None
                    assert await asyncio.to_thread(taker.stdout.readline) == "ready\n"
                met: Counter[str] = Counter()
                for _ in range(200):
                    with proxy.down():
                        met["refused"] += await refused(proxy)
                    met["answered"] += (await meet(proxy.address, b"up")).data == b"up"
                    assert proxy.port == port
                assert met == {"refused": 200, "answered": 200}
            finally:
                for taker in takers:
                    taker.kill()
            for taker in takers:
                told, _ = taker.communicate()
                assert "taken" not in told

    run(scenario())


def test_down_resets_open_connections_unless_it_is_told_to_keep_them(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.down(reset=False):
                writer.write(b"still")
                assert await reader.readexactly(5) == b"still"
                assert await refused(proxy)
            with proxy.down(), pytest.raises(ConnectionResetError):
                await reader.read()
            writer.close()

    run(scenario())


def test_down_comes_up_again_after_connections_that_the_proxy_closed_first(run: Run) -> None:
    """Those connections are in TIME_WAIT on its port."""

    class Closing(Echo):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            transport.close()

    async def scenario() -> None:
        async with proxied(Closing) as proxy:
            for _ in range(20):
                assert (await meet(proxy.address)).data == b""
                with proxy.down():
                    assert await refused(proxy)

    run(scenario())


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_unreachable_lets_connecting_hang_and_who_tries_gets_through_after_it(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            reader, writer = await asyncio.open_connection(*proxy.address)
            await proxy.wait_connections(1)
            with proxy.unreachable():
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.1):
                        await asyncio.open_connection(*proxy.address)
                writer.write(b"open ones stay")
                assert await reader.readexactly(14) == b"open ones stay"
                late = asyncio.create_task(meet(proxy.address, b"late"))
                await asyncio.sleep(0.02)
            assert (await late).data == b"late"
            assert (await meet(proxy.address, b"after")).data == b"after"
            writer.close()
            await proxy.wait_connections(0)
            assert [event.kind for event in proxy.events].count("accepted") == 3

    run(scenario())


def test_who_waits_to_be_accepted_is_served_after_the_block(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            with proxy.accept_paused():
                clients = [asyncio.create_task(meet(proxy.address, b"%d" % number)) for number in range(5)]
                await asyncio.sleep(0.05)
                assert proxy.connections == ()
            assert [met.data for met in await asyncio.gather(*clients)] == [b"0", b"1", b"2", b"3", b"4"]

    run(scenario())


def test_states_of_the_link_nest(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            with proxy.accept_paused(), proxy.down():
                with proxy.down():
                    assert await refused(proxy)
                assert await refused(proxy)
            assert (await meet(proxy.address, b"up")).data == b"up"
            with proxy.unreachable():
                with proxy.down():
                    assert await refused(proxy)
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await asyncio.open_connection(*proxy.address)
            assert (await meet(proxy.address, b"up")).data == b"up"

    run(scenario())


def test_down_that_keeps_connections_keeps_those_that_nobody_has_accepted_yet(run: Run) -> None:
    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with echoing() as proxy:
            clients = [socket.create_connection(proxy.address) for _ in range(3)]  # blocking: the loop doesn't notice
            with proxy.down(reset=False):
                for client in clients:
                    client.setblocking(False)
                    await loop.sock_sendall(client, b"kept")
                    assert await loop.sock_recv(client, 4) == b"kept"
                    client.close()

    run(scenario())


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_who_waits_in_a_pause_is_not_served_by_another_state_within_it(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            with proxy.accept_paused():
                reader, writer = await asyncio.open_connection(*proxy.address)
                writer.write(b"later")
                with proxy.unreachable():
                    pass
                with proxy.down(reset=False):
                    pass
                await asyncio.sleep(0.02)
                assert proxy.events[-1].kind == "link"
                assert proxy.connections == ()
            assert await reader.readexactly(5) == b"later"
            writer.close()

    run(scenario())


def test_reset_all_meets_who_waits_in_a_pause(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            with proxy.accept_paused(), proxy.down(reset=False):
                pass
            with proxy.accept_paused():
                reader, writer = await asyncio.open_connection(*proxy.address)
                with proxy.down(reset=False):
                    await proxy.reset_all()
                with pytest.raises(ConnectionResetError):
                    await reader.read()
                writer.close()

    run(scenario())


def test_wait_connections_waits_until_so_many_are_open(run: Run) -> None:
    async def scenario() -> None:
        async with echoing() as proxy:
            waiting = asyncio.create_task(proxy.wait_connections(3))
            clients = [await asyncio.open_connection(*proxy.address) for _ in range(2)]
            await asyncio.sleep(0.02)
            assert not waiting.done()
            clients.append(await asyncio.open_connection(*proxy.address))
            await waiting
            assert [connection.index for connection in proxy.connections] == [0, 1, 2]
            proxy.connections[1].reset()
            with pytest.raises(ConnectionResetError):
                await clients[1][0].read()
            for _, writer in clients:
                writer.close()
            await proxy.wait_connections(0)

    run(scenario())


def test_a_unix_socket_can_be_on_either_side(run: Run, tmp_path: Path) -> None:
    async def scenario() -> None:
        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.read())
            writer.close()

        behind = str(tmp_path / "service")
        server = await asyncio.start_unix_server(echo, behind)
        async with TcpProxy(behind) as proxy:
            assert (await meet(proxy.address, b"to a path")).data == b"to a path"
        async with TcpProxy(behind, listen_path=str(tmp_path / "proxy")) as proxy:
            for _ in range(3):
                reader, writer = await asyncio.open_unix_connection(proxy.path)
                writer.write(b"from a path")
                writer.write_eof()
                assert await reader.read() == b"from a path"
                writer.close()
                with proxy.down(), pytest.raises(ConnectionRefusedError):
                    await asyncio.open_unix_connection(proxy.path)
            with pytest.raises(LooprigError, match="Unix socket"):
                proxy.address  # noqa: B018 - asking is what fails
            with pytest.raises(LooprigError, match="TCP port on Linux"), proxy.unreachable():
                pass
        assert not (tmp_path / "proxy").exists()
        server.close()
        await server.wait_closed()

    run(scenario())


def test_a_proxy_over_ipv6(run: Run) -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("no IPv6 loopback here")

    async def scenario() -> None:
        server = await asyncio.get_running_loop().create_server(Echo, "::1", 0)
        host, port, *_ = server.sockets[0].getsockname()
        async with TcpProxy((host, port), host="::1") as proxy:
            assert (await meet(proxy.address, b"six")).data == b"six"
            with proxy.down():
                assert await refused(proxy)
        server.close()

    run(scenario())
