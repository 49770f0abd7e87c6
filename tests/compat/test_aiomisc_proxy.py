"""The proxy of aiomisc's documentation: its three examples as written, and what users do next."""

import re
from typing import Final

import pytest

from tests.plugin.suite import output, run_apart

pytest.importorskip("aiomisc", reason="needs aiomisc")

SETTING: Final = """
    import asyncio
    import time

    import pytest

    import aiomisc


    class EchoServer(aiomisc.service.TCPServer):
        async def handle_client(
                self, reader: asyncio.StreamReader,
                writer: asyncio.StreamWriter
        ):
            chunk = await reader.read(65534)
            while chunk:
                writer.write(chunk)
                chunk = await reader.read(65534)

            writer.close()
            await writer.wait_closed()


    @pytest.fixture()
    def server_port(aiomisc_unused_port_factory) -> int:
        return aiomisc_unused_port_factory()


    @pytest.fixture()
    def services(server_port, localhost):
        return [EchoServer(port=server_port, address=localhost)]


    @pytest.fixture()
    async def proxy(tcp_proxy, localhost, server_port):
        async with tcp_proxy(localhost, server_port) as proxy:
            yield proxy
"""

EXAMPLES: Final = """

    async def test_proxy_client_close(proxy):
        reader, writer = await proxy.create_client()
        payload = b"Hello world"

        writer.write(payload)
        response = await asyncio.wait_for(reader.read(1024), timeout=1)

        assert response == payload

        assert not reader.at_eof()
        await proxy.disconnect_all()

        assert await asyncio.wait_for(reader.read(), timeout=1) == b""
        assert reader.at_eof()


    async def test_proxy_client_slow(proxy):
        read_delay = 0.1
        write_delay = 0.2

        # Emulation of asymmetric and slow ISP
        with proxy.slowdown(read_delay, write_delay):
            reader, writer = await proxy.create_client()
            payload = b"Hello world"

            delta = -time.monotonic()

            writer.write(payload)
            await asyncio.wait_for(reader.read(1024), timeout=2)

            delta += time.monotonic()

            assert delta >= read_delay + write_delay


    async def test_proxy_client_with_processor(proxy):
        processed_request = b"Never say hello"

        # Patching protocol functions
        proxy.set_content_processors(
            # Process data from client to server
            lambda _: processed_request,

            # Process data from server to client
            lambda chunk: chunk[::-1],
        )

        reader, writer = await proxy.create_client()
        writer.write(b'nevermind')

        response = await reader.read(16)

        assert response == processed_request[::-1]
"""

NEXT: Final = """

    async def test_settings_hold_for_connections_that_are_there(proxy, server_port):
        assert proxy.proxy_host == "127.0.0.1" and proxy.target_port == server_port != proxy.proxy_port
        reader, writer = await proxy.create_client()
        async def ask(text):
            begin = time.monotonic()
            writer.write(text)
            return await reader.readexactly(len(text)), time.monotonic() - begin

        assert (await ask(b"plain"))[0] == b"plain"
        proxy.set_delay(0.05)
        assert (await ask(b"slow"))[1] >= 0.05
        proxy.set_delay(0.02, 0.03)
        assert (await ask(b"slow"))[1] >= 0.05
        with proxy.slowdown(0.1):
            assert (await ask(b"slower"))[1] >= 0.1
        assert (proxy.read_delay, proxy.write_delay) == (0.02, 0.03)
        proxy.set_delay(0, 0)

        async def shout(chunk):
            await asyncio.sleep(0)
            return chunk.upper()

        proxy.set_content_processors(shout, None)
        assert (await ask(b"async"))[0] == b"ASYNC"
        proxy.set_content_processors(None, lambda chunk: chunk.title())
        assert (await ask(b"sync"))[0] == b"Sync"
        proxy.set_content_processors(None, None)
        assert (await ask(b"none"))[0] == b"none"
        writer.close()

    def fail(chunk):
        raise ValueError("lost with aiomisc")

    @pytest.fixture(scope="module")
    async def wide(tcp_proxy, localhost):
        async with tcp_proxy(localhost, 1) as proxy:
            yield proxy

    async def test_a_wide_fixture_of_ones_own(wide):
        wide.set_delay(1)
        task = wide.disconnect_all()
        await task
        assert task.done()

    async def test_by_its_methods(tcp_proxy, localhost, server_port):
        proxy = tcp_proxy(localhost, server_port)
        await proxy.start(timeout=5)
        reader, writer = await proxy.create_client()
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        writer.close()
        await proxy.close(timeout=5)

    async def test_a_processor_that_raises(proxy):
        proxy.set_content_processors(fail, None)
        reader, writer = await proxy.create_client()
        writer.write(b"x")
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_the_examples_pass_as_they_stand(pytester: pytest.Pytester, loop: str) -> None:
    # They leave their clients open, about which Python warns at exit.
    result = run_apart(pytester, SETTING + EXAMPLES, f"--loop-factory={loop}", "-Wdefault::ResourceWarning")
    result.assert_outcomes(passed=3)


def test_settings_hold_until_they_are_set_anew_and_errors_are_told(pytester: pytest.Pytester) -> None:
    result = run_apart(pytester, SETTING + NEXT)
    result.assert_outcomes(passed=3, failed=1)
    text = output(result)
    assert "looprig.ProxyError: read raised on connection #0: ValueError: lost with aiomisc" in text
    assert re.search(r"test_it\.py:\d+: AiomiscProxy", text)
    assert "- Network faults -" in text
