"""How sockets behave on macOS and BSD, simulated: what they refuse that Linux allows.

Source: `in_pcbbind` of their kernels. A socket can't be bound to the address and port of another one, whatever
`SO_REUSEADDR` says, unless that one is connected. And `shutdown` of a listening socket fails.
"""

import asyncio
import errno
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import pytest

from looprig.net import ports, unix
from looprig.net.ports import PortFactory, WildcardPortFactory, accepts_connections, servers_can_bind_held
from looprig.net.tcp import listener
from looprig.services.process import ProcessService
from tests.proxy.conftest import run
from tests.proxy.peers import Echo, proxied, raw_client
from tests.running import Run, running
from tests.services.programs import WAIT

__all__ = ["run"]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="takes away from Linux what other systems refuse")


class BsdSocket(socket.socket):
    """A socket that can't be bound where another one of this process is, and that can't stop listening."""

    _bound: "set[BsdSocket]"

    def bind(self, address: Any) -> None:
        for other in self._bound:
            if other.fileno() != -1 and other.getsockname()[:2] == address[:2]:
                raise OSError(errno.EADDRINUSE, "Address already in use")
        super().bind(address)
        self._bound.add(self)

    def shutdown(self, how: int) -> None:
        raise OSError(errno.ENOTCONN, "Socket is not connected")


@pytest.fixture
def bsd(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let ports and proxies use sockets of BSD."""
    monkeypatch.setattr(BsdSocket, "_bound", set[BsdSocket](), raising=False)
    for module in (ports, listener):
        fake = ModuleType("socket")
        fake.__dict__.update(vars(socket))
        fake.__dict__["socket"] = BsdSocket
        monkeypatch.setattr(module, "socket", fake)
    servers_can_bind_held.cache_clear()
    yield
    servers_can_bind_held.cache_clear()


def test_linux_lets_a_server_bind_a_held_port() -> None:
    servers_can_bind_held.cache_clear()
    assert servers_can_bind_held()


@pytest.mark.usefixtures("bsd")
def test_a_port_is_not_held_where_its_server_could_not_bind_it(run: Run) -> None:
    """It was free a moment ago, and releasing it is no error."""

    async def scenario() -> None:
        with PortFactory("127.0.0.1") as unused_port:
            port = unused_port()
            server = BsdSocket()
            server.bind(("127.0.0.1", port))
            unused_port.release(port)
            async with await asyncio.start_server(lambda _, writer: writer.close(), sock=server):
                assert await accepts_connections("127.0.0.1", port)

    assert not servers_can_bind_held()
    run(scenario())


@pytest.mark.usefixtures("bsd")
def test_a_port_held_on_all_addresses_can_be_bound_on_one() -> None:
    with WildcardPortFactory("127.0.0.1") as unused_port, BsdSocket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", unused_port()))


@pytest.mark.usefixtures("bsd")
def test_a_process_gets_its_port_on_each_start(run: Run) -> None:
    """Its port is released before each start, as with `holds_port=False`. This server wouldn't bind a held port."""
    program = f"import socket, sys; s = socket.socket(); s.bind((sys.argv[1], int(sys.argv[2]))); s.listen()\n{WAIT}"

    @dataclass(kw_only=True)
    class Strict(ProcessService):
        def command(self) -> Sequence[str]:
            return [sys.executable, "-c", program, self.host, str(self.port)]

        async def ready(self) -> bool:
            return await accepts_connections(*self.address)

    async def scenario() -> None:
        async with running(Strict()) as strict:
            port = strict.port
            await strict.kill()
            await strict.start()
            assert strict.port == port

    run(scenario())


@pytest.mark.usefixtures("bsd")
def test_a_proxy_refuses_clients_and_keeps_those_it_has(run: Run) -> None:
    """Its socket is closed and bound again, which connections of earlier clients must not prevent."""

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        async with proxied(Echo) as proxy, raw_client(proxy.address) as early:
            for _ in range(3):
                await loop.sock_sendall(early, b"?")
                assert await loop.sock_recv(early, 1) == b"?"
                with proxy.down(reset=False):
                    with pytest.raises(ConnectionRefusedError):
                        await asyncio.open_connection(*proxy.address)
                    await loop.sock_sendall(early, b"!")
                    assert await loop.sock_recv(early, 1) == b"!"
            assert await accepts_connections(*proxy.address)

    run(scenario())


def test_the_path_of_a_socket_may_be_shorter_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(unix, "_LONGEST", 103)
    path = tmp_path / "s"
    path = path.with_name("s" * (104 - len(str(path)) + 1))
    with pytest.raises(OSError, match="its path has 104 bytes, but that of a Unix socket may have at most 103"):
        unix.UnixListener(path)
