"""looprig in a process that lacks what Windows lacks: what works all the same, and what is said of the rest."""

import sys
from pathlib import Path
from textwrap import dedent
from typing import Final

import pytest

from tests.plugin.suite import OPTIONS, output, write

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="takes away from POSIX what Windows lacks")

PROGRAM: Final = Path(__file__).with_name("windows.py")

HEAD: Final = """\
import asyncio
import sys
from dataclasses import dataclass
import pytest
from looprig import *
from looprig import TestClient
"""


def run_on_windows(pytester: pytest.Pytester, suite: str, *options: str) -> pytest.RunResult:
    """Run a module in a process without POSIX."""
    write(pytester, {"test_it.py": HEAD + dedent(suite)})
    return pytester.run(sys.executable, PROGRAM, *OPTIONS, *options, timeout=60)


def test_every_public_name_can_be_loaded(pytester: pytest.Pytester) -> None:
    pytest.importorskip("aiohttp")
    result = run_on_windows(
        pytester,
        """
        import importlib

        PACKAGES = "", ".http", ".kits", ".net", ".toxics", ".toxics.udp", ".aiomisc"

        @pytest.mark.parametrize("package", PACKAGES)
        def test_names(package):
            module = importlib.import_module(f"looprig{package}")
            for name in getattr(module, "__all__", ()):
                getattr(module, name)
        """,
    )
    result.assert_outcomes(passed=7)


def test_async_tests_fixtures_limits_and_watchdogs_work(pytester: pytest.Pytester) -> None:
    result = run_on_windows(
        pytester,
        """
        @pytest.fixture(scope="module")
        async def group():
            async with asyncio.TaskGroup() as group:
                waits = group.create_task(asyncio.Event().wait())
                yield group
                waits.cancel()

        async def test_shares_the_loop(group):
            assert type(asyncio.get_running_loop()).__name__ == "ProactorLikeEventLoop"
            await group.create_task(asyncio.sleep(0))

        def test_runs_a_loop_of_its_own():
            asyncio.run(asyncio.sleep(0))

        async def test_serves_on_an_unused_port(unused_port, localhost):
            async with await asyncio.start_server(lambda reader, writer: writer.close(), localhost, unused_port):
                reader, writer = await asyncio.open_connection(localhost, unused_port)
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()

        @timeout(0.1)
        async def test_hangs():
            await asyncio.Event().wait()

        async def test_leaves_a_failure():
            async def fail():
                raise ValueError("in the background")

            task = asyncio.create_task(fail())
            await asyncio.sleep(0)

        kept = []

        @watchdogs(leaks="error")
        async def test_leaves_a_task():
            kept.append(asyncio.create_task(asyncio.Event().wait(), name="mine"))
        """,
    )
    result.assert_outcomes(passed=4, failed=2, errors=1)
    result.stdout.re_match_lines_random(
        [
            ".*TimeoutExpiredError: The call of test_hangs took longer than 0.1 s",
            ".*A task failed, and nothing retrieved its exception: ValueError: in the background",
            ".*LeakError: .*",
        ]
    )


def test_services_in_this_process_and_their_clients_work(pytester: pytest.Pytester) -> None:
    pytest.importorskip("aiohttp")
    pytest.importorskip("uvicorn")
    result = run_on_windows(
        pytester,
        """
        import socket
        from aiohttp import web

        @service_fixture(scope="module")
        @dataclass(kw_only=True)
        class Rest(AiohttpService):
            async def create_app(self):
                async def names(request):
                    return web.json_response(["Ada"])

                app = web.Application()
                app.router.add_get("/", names)
                return app

        @service_fixture(scope="module")
        @dataclass(kw_only=True)
        class Asgi(AsgiService):
            lifespan: str = "off"

            async def create_app(self):
                async def app(scope, receive, send):
                    headers = [(b"content-type", b"application/json")]
                    await send({"type": "http.response.start", "status": 200, "headers": headers})
                    await send({"type": "http.response.body", "body": b'["Ada"]'})

                return app

        @service_fixture(in_thread=True)
        @dataclass(kw_only=True)
        class Greeter(TcpService):
            async def handle(self, reader, writer):
                writer.write(b"hello")
                writer.close()

        async def test_rest(api: TestClient[Rest]):
            for _ in range(3):
                assert await api.get("/", into=list[str], status=200) == ["Ada"]

        async def test_asgi(api: TestClient[Asgi]):
            for _ in range(3):
                assert await api.get("/", into=list[str], status=200) == ["Ada"]

        async def test_tcp(greeter: Greeter):
            reader, writer = await asyncio.open_connection(*greeter.address)
            assert await reader.read() == b"hello"
            writer.close()
            await writer.wait_closed()

        def test_in_a_thread(greeter: Greeter):
            with socket.create_connection(greeter.address) as client:
                assert client.recv(8) == b"hello"
        """,
    )
    result.assert_outcomes(passed=4)


def test_udp_proxies_work(pytester: pytest.Pytester) -> None:
    result = run_on_windows(
        pytester,
        """
        class Echo(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, address):
                self.transport.sendto(data, address)

        class Client(asyncio.DatagramProtocol):
            def __init__(self):
                self.answer = asyncio.get_running_loop().create_future()

            def datagram_received(self, data, address):
                self.answer.set_result(data)

        async def test_it(localhost):
            loop = asyncio.get_running_loop()
            server, _ = await loop.create_datagram_endpoint(Echo, (localhost, 0))
            async with DatagramProxy(server.get_extra_info("sockname")[:2]) as proxy:
                transport, client = await loop.create_datagram_endpoint(Client, remote_addr=tuple(proxy.address))
                transport.sendto(b"hello")
                assert await client.answer == b"hello"
                transport.close()
            server.close()
        """,
    )
    result.assert_outcomes(passed=1)


NEEDS_POSIX: Final = """
from looprig.kits import PostgresService, RedisService

@service_fixture
@dataclass(kw_only=True)
class Worker(ProcessService):
    def command(self):
        return [sys.executable]

@service_fixture
@dataclass(kw_only=True)
class Postgres(PostgresService): ...

@service_fixture
@dataclass(kw_only=True)
class Redis(RedisService): ...

@service_fixture
@dataclass(kw_only=True)
class Echo(TcpService):
    async def handle(self, reader, writer): ...

@service_fixture
@dataclass(kw_only=True)
class OnPath(TcpService):
    unix_socket: bool = True

    async def handle(self, reader, writer): ...

class Docker:
    address = "/run/docker.sock"

async def test_worker(worker: Worker): ...
async def test_postgres(postgres: Postgres): ...
async def test_redis(redis: Redis): ...
async def test_on_path(on_path: OnPath): ...
async def test_proxy(proxy: Proxy[Echo]): ...

async def test_tcp_proxy():
    async with TcpProxy(("127.0.0.1", 9)): ...

async def test_client():
    async with TestClient(Docker()): ...

async def test_another(echo: Echo):
    assert echo.port
"""

SKIPIF: Final = '`pytest.mark.skipif(os.name != "posix", reason="needs POSIX")`.'
PROCESS: Final = (
    "    On other systems, start the server before the tests, and declare a service whose `address` is where it "
    f"listens. Or skip the tests that use it, with {SKIPIF}"
)
SKIP: Final = f"On other systems, skip the tests of network faults: {SKIPIF}"
POSIX: Final = "requires a POSIX system such as Linux or macOS; this one is win32."

SAID: Final = {
    "test_worker": [
        f"looprig.ServiceStartError: The process of Worker {POSIX}",
        "      test_it.py:10: Worker",
        PROCESS,
    ],
    "test_postgres": [
        f"looprig.ServiceStartError: The process of Postgres {POSIX}",
        "      test_it.py:16: Postgres",
        PROCESS,
    ],
    "test_redis": [f"looprig.ServiceStartError: The process of Redis {POSIX}", "      test_it.py:20: Redis", PROCESS],
    "test_on_path": [
        f"looprig.ServiceStartError: The Unix socket of OnPath {POSIX}",
        "      test_it.py:29: OnPath",
        "    On other systems, leave out `unix_socket`: it then listens on a port.",
    ],
    "test_proxy": [
        f"looprig.ServiceStartError: The TCP proxy Proxy[Echo] {POSIX}",
        "      test_it.py:24: Proxy[Echo]",
        f"    {SKIP}",
    ],
    "test_tcp_proxy": [
        f"looprig.ServiceStartError: The TCP proxy TcpProxy {POSIX}",
        "  test_it.py:46: TcpProxy",
        SKIP,
    ],
    "test_client": [
        f"looprig.LooprigError: A TestClient of the Unix socket /run/docker.sock {POSIX}",
        "On other systems, give the service a `url` with a host and port.",
    ],
}


def test_each_feature_that_needs_posix_says_so_and_no_other_test_fails(pytester: pytest.Pytester) -> None:
    pytest.importorskip("aiohttp")
    result = run_on_windows(pytester, NEEDS_POSIX, "--tb=short")
    result.assert_outcomes(passed=1, failed=2, errors=5)
    said = [line.removeprefix("E   ") for line in output(result).splitlines()]
    for expected in SAID.values():
        start = said.index(expected[0])
        assert said[start : start + len(expected)] == expected
    assert "Traceback" not in output(result)


def test_a_proxy_says_which_loop_it_cannot_run_on(pytester: pytest.Pytester) -> None:
    """Such as `ProactorEventLoop`, or a suite's own loop."""
    result = pytester.runpytest_subprocess(
        *OPTIONS,
        *("-p", "no:faulthandler"),
        pytester.makepyfile(
            test_it=HEAD
            + dedent("""
            class Unwatching(asyncio.SelectorEventLoop):
                def add_reader(self, *_):
                    raise NotImplementedError

            loops = loop_config(factory=Unwatching)

            async def test_it():
                async with TcpProxy(("127.0.0.1", 9)): ...
            """)
        ),
        timeout=60,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E*ServiceStartError: The TCP proxy TcpProxy can't run on Unwatching, a loop without `add_reader`.",
            "E*test_it.py:15: TcpProxy",
            "E*Use one of asyncio's own loops or uvloop (see the option --loop-factory).",
        ]
    )
