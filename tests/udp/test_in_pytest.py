"""UDP proxies in a suite: requested by annotation, declared, and how their errors affect a test."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
    import asyncio
    import socket
    from collections.abc import Sequence
    from dataclasses import dataclass
    from typing import Annotated

    import pytest
    from looprig import Proxy, Through, UdpProxy, proxy_fixture, service_fixture
    from looprig.net.address import Address
    from looprig.toxics import Latency, Toxic, udp
    from looprig.toxics.udp import Duplication, Loss

    class Echo(asyncio.DatagramProtocol):
        def connection_made(self, transport):
            self.transport = transport
        def datagram_received(self, data, addr):
            self.transport.sendto(data, addr)

    class Client(asyncio.DatagramProtocol):
        def __init__(self):
            self.came = asyncio.Queue()
        def datagram_received(self, data, addr):
            self.came.put_nowait(data)

    async def ask(address, *datagrams):
        transport, client = await asyncio.get_running_loop().create_datagram_endpoint(Client, remote_addr=address)
        for data in datagrams:
            transport.sendto(data)
        async with asyncio.timeout(10):
            came = [await client.came.get() for _ in datagrams]
        transport.close()
        return came

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Dns:
        zone: str = "example"
        async def start(self):
            loop = asyncio.get_running_loop()
            self.transport, _ = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
        async def stop(self):
            self.transport.close()
        @property
        def address(self) -> Address:
            return Address(*self.transport.get_extra_info("sockname"))
        @property
        def port(self) -> int:
            return self.address.port
        @property
        def url(self) -> str:
            return f"dns://me@127.0.0.1:{self.transport.get_extra_info('sockname')[1]}/zone"
"""

DECLARED = """
    @proxy_fixture(scope="module")
    @dataclass(kw_only=True)
    class Flaky(UdpProxy[Dns]):
        toxics: Sequence[udp.Toxic] = (Duplication(1.0),)
"""


def test_by_annotation_a_test_has_a_proxy_of_its_own(pytester: pytest.Pytester) -> None:
    suite = """
    async def test_it(proxy: UdpProxy[Dns], dns: Dns):
        assert proxy.service is dns
        assert type(proxy).__name__ == "UdpProxy[Dns]"
        assert proxy.port != dns.port
        assert await ask(proxy.address, b"1", b"2") == [b"1", b"2"]
        with proxy.apply(Loss(1.0, direction="upstream")):
            pass
        assert len(proxy.connections) == 1

    async def test_another(proxy: UdpProxy[Dns]):
        assert proxy.connections == ()
    """
    run(pytester, HEAD + suite).assert_outcomes(passed=2)


def test_routed_is_the_service_with_the_address_of_the_proxy(pytester: pytest.Pytester) -> None:
    suite = """
    async def test_it(proxy: UdpProxy[Dns], through: Annotated[Dns, Through(UdpProxy)], dns: Dns):
        for routed in (proxy.routed, through):
            assert isinstance(routed, Dns) and routed.zone == "example"
            assert routed.address == proxy.address and routed.port == proxy.port
            assert routed.url == f"dns://me@127.0.0.1:{proxy.port}/zone"
        assert dns.port != proxy.port
        assert await ask(through.address, b"?") == [b"?"]
    """
    run(pytester, HEAD + suite).assert_outcomes(passed=1)


def test_a_declared_proxy_is_what_the_annotation_means(pytester: pytest.Pytester) -> None:
    suite = """
    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Resolver:
        proxy: UdpProxy[Dns]
        behind: Annotated[Dns, Through(Flaky)]
        same: Annotated[Dns, Through(UdpProxy)]
        async def start(self): ...
        async def stop(self): ...

    async def test_it(proxy: UdpProxy[Dns], flaky, resolver: Resolver, through: Annotated[Dns, Through(Flaky)]):
        assert proxy is flaky is resolver.proxy and type(proxy) is Flaky
        assert {each.port for each in (through, resolver.behind, resolver.same)} == {proxy.port}
        assert await ask(through.address, b"?", b"twice") == [b"?", b"?"]
    """
    run(pytester, HEAD + DECLARED + suite).assert_outcomes(passed=1)


def test_proxies_of_both_kinds_before_one_service_are_not_taken_for_each_other(pytester: pytest.Pytester) -> None:
    suite = """
    @proxy_fixture(scope="module")
    @dataclass(kw_only=True)
    class Slow(Proxy[Dns]):
        toxics: Sequence[Toxic] = (Latency(0.1),)

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Both:
        tcp: Proxy[Dns]
        udp: UdpProxy[Dns]
        async def start(self): ...
        async def stop(self): ...

    async def test_declared(udp: UdpProxy[Dns], tcp: Proxy[Dns], both: Both):
        assert type(udp) is type(both.udp) is Flaky
        assert type(tcp) is type(both.tcp) is Slow

    async def test_through(udp: Annotated[Dns, Through(UdpProxy)], tcp: Annotated[Dns, Through()], both: Both):
        assert (udp.port, tcp.port) == (both.udp.port, both.tcp.port)
    """
    run(pytester, HEAD + DECLARED + suite).assert_outcomes(passed=2)


def test_a_declared_proxy_does_not_answer_for_the_other_kind(pytester: pytest.Pytester) -> None:
    suite = """
    async def test_it(udp: UdpProxy[Dns], tcp: Proxy[Dns]):
        assert type(udp) is Flaky
        assert type(tcp).__name__ == "Proxy[Dns]"

    async def test_the_same_name(it: UdpProxy[Dns]):
        assert type(it) is Flaky

    async def test_the_same_name_again(it: Proxy[Dns]):
        assert type(it).__name__ == "Proxy[Dns]"

    async def test_implicit_ones(request):
        assert not [name for name in request.fixturenames if "proxy" in name]
    """
    run(pytester, HEAD + DECLARED + suite).assert_outcomes(passed=4)


def test_implicit_proxies_of_both_kinds_stand_beside_each_other(pytester: pytest.Pytester) -> None:
    suite = """
    async def test_it(udp: UdpProxy[Dns], tcp: Proxy[Dns]):
        assert type(udp).__name__ == "UdpProxy[Dns]"
        assert type(tcp).__name__ == "Proxy[Dns]"
        assert udp.service is tcp.service
    """
    run(pytester, HEAD + suite).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("suite", "told"),
    [
        (
            """
    @service_fixture
    @dataclass(kw_only=True)
    class Resolver:
        proxy: UdpProxy[Dns]
        async def start(self): ...
        async def stop(self): ...

    async def test_it(resolver: Resolver): ...
    """,
            [
                "Resolver.proxy requests a UdpProxy[Dns], but none is declared.",
                "Declare one: @proxy_fixture(scope=...) on `class DnsProxy(UdpProxy[Dns])`.",
            ],
        ),
        (
            DECLARED
            + """
    @proxy_fixture
    class Other(UdpProxy[Dns]): ...

    async def test_it(proxy: UdpProxy[Dns]): ...
    """,
            ["test_it requests a UdpProxy[Dns], but 2 proxies are in front of Dns."],
        ),
        (
            """
    async def test_it(proxy: UdpProxy): ...
    """,
            ["test_it declares proxy: UdpProxy, but not for which service.", "Name it: UdpProxy[Rest]."],
        ),
        (
            DECLARED
            + """
    async def test_it(flaky: Proxy[Dns]): ...
    """,
            ["test_it declares flaky: Proxy[Dns], but fixture 'flaky' provides Flaky."],
        ),
    ],
)
def test_what_is_declared_wrong_is_told_with_its_kind(pytester: pytest.Pytester, suite: str, told: list[str]) -> None:
    result = run(pytester, HEAD + suite)
    assert result.ret != 0
    for line in told:
        assert line in output(result)


def test_an_error_of_the_proxy_fails_the_test_that_runs(pytester: pytest.Pytester) -> None:
    suite = """
    class Broken(udp.Toxic):
        def on_datagram(self, data, flow):
            raise ValueError("bad luck")

    async def _lose(proxy):
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Client, remote_addr=proxy.address)
        with proxy.apply(Broken(name="broken")):
            transport.sendto(b"?")
        transport.close()

    async def test_fails(proxy: UdpProxy[Dns]):
        await _lose(proxy)

    async def test_expects_it(proxy: UdpProxy[Dns]):
        await _lose(proxy)
        (error,) = proxy.take_errors()
        assert "broken raised on connection #0: ValueError: bad luck" in str(error)

    async def test_goes_on(proxy: UdpProxy[Dns]):
        assert await ask(proxy.address, b"?") == [b"?"]
    """
    result = run(pytester, HEAD + suite, "--proxy-seed=7")
    result.assert_outcomes(passed=2, failed=1)
    shown = output(result)
    assert "broken raised on connection #0: ValueError: bad luck" in shown
    assert "UdpProxy[Dns], seed 7:" in shown
    assert "#0  upstream error broken lost datagram 0: ValueError: bad luck" in shown
    assert "--proxy-seed=7" in shown


def test_the_seed_of_the_run_makes_the_faults(pytester: pytest.Pytester) -> None:
    suite = """
    async def test_it(proxy: UdpProxy[Dns]):
        assert proxy.seed == 7
        transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Client, remote_addr=proxy.address)
        with proxy.apply(Loss(0.5, direction="upstream")):
            for number in range(50):
                transport.sendto(b"%d" % number)
        transport.close()
        print("FAULTS", *proxy.faults(0))
    """
    lines = [
        next(line for line in run(pytester, HEAD + suite, "-s", "--proxy-seed=7").outlines if "FAULTS" in line)
        for _ in range(2)
    ]
    assert lines[0].count("lost datagram") > 5
    assert lines[0].split("FAULTS")[1] == lines[1].split("FAULTS")[1]


def test_a_connection_that_began_in_one_test_goes_on_in_the_next(pytester: pytest.Pytester) -> None:
    """A task of the proxy isn't one of the test's, although a call of the test started it."""
    suite = """
    @pytest.fixture(scope="module")
    async def client(flaky: Flaky):
        transport, client = await asyncio.get_running_loop().create_datagram_endpoint(
            Client, remote_addr=flaky.address)
        client.send = transport.sendto
        yield client
        transport.close()

    def test_begins(client, flaky: Flaky):
        with flaky.apply():
            client.send(b"1")
        with flaky.apply():
            pass

    async def test_begins_async(client, flaky: Flaky):
        with flaky.apply():
            client.send(b"2")

    async def test_goes_on(client, flaky: Flaky):
        async with asyncio.timeout(10):
            assert sorted([await client.came.get() for _ in range(8)]) == [b"1"] * 4 + [b"2"] * 4
    """
    run(pytester, HEAD + DECLARED + suite).assert_outcomes(passed=3)


def test_a_service_at_a_path_has_no_udp_proxy(pytester: pytest.Pytester) -> None:
    suite = """
    @service_fixture
    class Local:
        address = "/tmp/nobody"
        async def start(self): ...
        async def stop(self): ...

    async def test_it(proxy: UdpProxy[Local]): ...
    """
    result = run(pytester, HEAD + suite)
    result.assert_outcomes(errors=1)
    assert "Local has the address '/tmp/nobody', and a UDP proxy can't be in front of a path." in output(result)
