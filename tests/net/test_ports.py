"""Held ports: no other process gets one by chance, and the server that it is meant for can still bind it."""

import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable

import pytest

from looprig.net.ports import (
    HeldPort,
    PortFactory,
    WildcardPortFactory,
    accepts_connections,
    hold_port,
    listening_socket,
    localhost,
    url_of,
)

TAKE_MANY = """
import json, socket, sys
held, address, count = set(json.loads(sys.argv[1])), sys.argv[2], int(sys.argv[3])
met = 0
for number in range(count):
    with socket.socket() as taken:
        if number % 2:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((address, 0))
        met += taken.getsockname()[1] in held
print(met)
"""


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 loopback here")


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])  # noqa: S104 - nothing listens
def test_another_process_that_asks_for_20_000_ports_never_gets_a_held_one(address: str) -> None:
    """Half of the requests use SO_REUSEADDR, on the same address and on the wildcard."""
    with PortFactory("127.0.0.1") as unused_port:
        held = [unused_port() for _ in range(50)]
        asked = subprocess.run(
            [sys.executable, "-c", TAKE_MANY, json.dumps(held), address, "20000"],
            capture_output=True,
            text=True,
            check=True,
        )
    assert asked.stdout.strip() == "0"


def test_outgoing_connections_never_get_a_held_port() -> None:
    """The kernel also picks a port for the client's end of a connection."""
    with PortFactory("127.0.0.1") as unused_port, socket.socket() as server:
        held = {unused_port() for _ in range(200)}
        server.bind(("127.0.0.1", 0))
        server.listen()
        for _ in range(1000):
            with socket.create_connection(server.getsockname()) as client:
                accepted, _ = server.accept()
                accepted.close()
                assert client.getsockname()[1] not in held


def test_asyncio_serves_on_a_held_port() -> None:
    """Connections are refused until the server listens, and then accepted."""

    async def scenario() -> None:
        with hold_port() as held:
            assert not await accepts_connections(held.host, held.port)
            server = await asyncio.start_server(lambda _, writer: writer.close(), held.host, held.port)
            async with server:
                assert await accepts_connections(held.host, held.port)

    asyncio.run(scenario())


def test_an_http_server_of_another_process_serves_on_a_held_port() -> None:
    """`http.server` sets SO_REUSEADDR, as nearly every server does."""
    code = "import http.server as h, sys; print(h.HTTPServer((sys.argv[1], int(sys.argv[2])), None).server_port)"
    with hold_port() as held:
        ran = subprocess.run(
            [sys.executable, "-c", code, held.host, str(held.port)], capture_output=True, text=True, check=True
        )
    assert ran.stdout.strip() == str(held.port)


def test_a_server_without_reuse_addr_takes_the_port_once_it_is_released() -> None:
    """As long as the port is held, such a server can't bind it; `release` is for that case."""
    with PortFactory() as unused_port:
        port = unused_port()
        with socket.socket() as strict, pytest.raises(OSError, match="in use"):
            strict.bind((localhost(), port))
        unused_port.release(port)
        with socket.socket() as strict:
            strict.bind((localhost(), port))


def test_releasing_a_port_that_is_not_held_says_what_is() -> None:
    """The error is a ValueError, not a KeyError."""
    with PortFactory() as unused_port:
        port = unused_port()
        with pytest.raises(ValueError, match=f"port 1 is not held by this factory; it holds {port}"):
            unused_port.release(1)
    with pytest.raises(ValueError, match="it holds none"):
        unused_port.release(port)


def test_the_factory_gives_each_port_once_and_lets_all_go_at_close() -> None:
    """Two calls never return the same port; closing twice has no further effect."""
    unused_port = PortFactory()
    ports = [unused_port() for _ in range(100)]
    assert len(set(ports)) == 100
    unused_port.close()
    unused_port.close()
    with socket.socket() as strict:
        strict.bind((localhost(), ports[0]))


def test_a_held_port_tells_its_host_port_and_socket() -> None:
    """The socket is bound, but doesn't listen."""
    with hold_port("127.0.0.1") as held:
        assert held.socket.getsockname() == (held.host, held.port) == ("127.0.0.1", held.port)
        assert repr(held) == f"<HeldPort 127.0.0.1 {held.port}>"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((held.host, held.port))
    assert held.socket.fileno() == -1


def test_a_udp_port_can_be_held() -> None:
    """No other socket can bind it, not even with SO_REUSEADDR, which would steal the datagrams."""
    with hold_port(kind=socket.SOCK_DGRAM) as held, socket.socket(type=socket.SOCK_DGRAM) as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="in use"):
            other.bind((held.host, held.port))


def test_a_listening_socket_knows_its_port_before_the_server_starts() -> None:
    """Asyncio gets the socket instead of a host and port."""

    async def scenario() -> None:
        bound = listening_socket()
        host, port = bound.getsockname()[:2]
        async with await asyncio.start_server(lambda _, writer: writer.close(), sock=bound):
            assert await accepts_connections(host, port)

    asyncio.run(scenario())


@pytest.mark.parametrize("take", [hold_port, listening_socket])
def test_a_host_that_cannot_be_bound_is_an_os_error_and_leaks_nothing(
    take: Callable[[str], HeldPort | socket.socket],
) -> None:
    """192.0.2.1 is reserved for documentation (RFC 5737), so no machine has it."""
    with pytest.raises(OSError, match="assign requested address"):
        take("192.0.2.1")


def test_wildcard_ports_are_free_on_every_address_and_can_be_served_on() -> None:
    """As with aiomisc's `aiomisc_unused_port_factory`."""

    async def scenario(port: int) -> None:
        async with await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", port):
            assert await accepts_connections("127.0.0.1", port)

    with WildcardPortFactory("127.0.0.1") as unused_port:
        ports = {unused_port(), unused_port(socket.AF_INET), unused_port(socket.AF_INET, socket.SOCK_STREAM)}
        assert len(ports) == 3
        asyncio.run(scenario(ports.pop()))


def test_wildcard_ports_leak_nothing_when_they_cannot_be_bound() -> None:
    """A Unix socket has no port, so the call fails, and closes what it opened."""
    with WildcardPortFactory("127.0.0.1") as unused_port, pytest.raises((OSError, TypeError)):
        unused_port(socket.AF_UNIX)


@needs_ipv6
def test_ipv6_ports_are_held_and_served_on() -> None:
    """Both factories use the family of their host."""

    async def scenario(port: int) -> None:
        async with await asyncio.start_server(lambda _, writer: writer.close(), "::1", port):
            assert await accepts_connections("::1", port)

    with PortFactory("::1") as unused_port, WildcardPortFactory("::1") as wildcard_port:
        asyncio.run(scenario(unused_port()))
        asyncio.run(scenario(wildcard_port()))


def test_urls_of_ipv6_hosts_have_brackets() -> None:
    """RFC 3986, section 3.2.2."""
    assert url_of("http", "127.0.0.1", 80) == "http://127.0.0.1:80"
    assert url_of("https", "::1", 8443) == "https://[::1]:8443"


def test_localhost_falls_back_to_ipv6_and_says_when_there_is_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without IPv4 loopback has ::1. If it has neither, the error says so."""
    refused = {"127.0.0.1"}

    class FakeSocket:
        """A socket that can bind any address except the rejected ones."""

        def __init__(self, *_: object) -> None: ...

        def setsockopt(self, *_: object) -> None: ...

        def close(self) -> None: ...

        def bind(self, address: tuple[str, int]) -> None:
            if address[0] in refused:
                raise OSError(f"no {address[0]} here")

    monkeypatch.setattr(socket, "socket", FakeSocket)
    assert localhost() == "::1"
    refused.add("::1")
    with pytest.raises(OSError, match=r"neither .* no 127\.0\.0\.1 here; no ::1 here"):
        localhost()
