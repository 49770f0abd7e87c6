"""What is closed, or belongs to a wider fixture, is no leak."""

from typing import Final

import pytest

from tests.plugin.suite import output, run_apart

CLEAN: Final = """
    import asyncio
    import gc
    import socket
    import subprocess
    import sys
    import threading
    from concurrent.futures import ThreadPoolExecutor
    from contextlib import aclosing, asynccontextmanager
    from dataclasses import dataclass

    import aiohttp
    import pytest
    from aiohttp import web
    from aiohttp.test_utils import TestClient as Client, TestServer
    from looprig import AiohttpService, Proxy, TestClient, service_fixture

    @pytest.fixture(params=range(5))
    def times(request):
        return request.param

    # Connections

    async def echo(reader, writer):
        while data := await reader.read(100):
            writer.write(data)
            await writer.drain()
        writer.close()

    async def forget(reader, writer):
        await reader.read()

    async def ask(port, words=b"hello"):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(words)
        answer = await reader.readexactly(len(words))
        writer.close()
        await writer.wait_closed()
        return answer

    def port_of(server):
        return server.sockets[0].getsockname()[1]

    @asynccontextmanager
    async def serving(handler):
        server = await asyncio.start_server(handler, "127.0.0.1", 0)
        try:
            yield server
        finally:
            server.close()  # from Python 3.12 on, `async with server` would wait until clients close their connections
            getattr(server, "close_clients", bool)()  # Python 3.13 and later

    def server_fixture(scope, handler):
        @pytest.fixture(scope=scope)
        async def server():
            async with serving(handler) as server:
                yield server
        return server

    server, wide_server = server_fixture("function", echo), server_fixture("module", echo)
    forgetful_server = server_fixture("module", forget)

    async def test_server(times):
        async with serving(echo) as server:
            assert await ask(port_of(server)) == b"hello"

    async def test_server_of_fixture(times, server):
        assert await ask(port_of(server)) == b"hello"

    async def test_server_of_wide_fixture(times, wide_server):
        assert await ask(port_of(wide_server)) == b"hello"

    async def test_server_that_keeps_connections(times, forgetful_server):
        _, writer = await asyncio.open_connection("127.0.0.1", port_of(forgetful_server))
        writer.close()

    async def test_connection_that_is_closed_last(times, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.close()

    async def test_server_that_is_closed_last(times):
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        await ask(port_of(server))
        server.close()

    async def test_datagrams(times):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0))
        transport.close()

    async def test_reader(times):
        reading, writing = socket.socketpair()
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        with reading, writing:
            loop.add_reader(reading, event.set)
            writing.send(b"x")
            await event.wait()
            loop.remove_reader(reading)

    class LazyClient:
        def __init__(self, port):
            self.port, self.reading = port, None

        async def ask(self):
            if self.reading is None:
                self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
                self.answers = asyncio.Queue()
                self.reading = asyncio.create_task(self.read())
            self.writer.write(b"x")
            return await self.answers.get()

        async def read(self):
            while data := await self.reader.read(1):
                self.answers.put_nowait(data)

        async def close(self):
            if self.reading is not None:
                self.writer.close()
                await self.reading

    @pytest.fixture(scope="module")
    async def lazy_client(wide_server):
        client = LazyClient(port_of(wide_server))
        yield client
        await client.close()

    @pytest.fixture(scope="module")
    def sync_lazy_client(wide_server):
        return {"client": LazyClient(port_of(wide_server))}

    @pytest.fixture(scope="module")
    async def closed_client(sync_lazy_client):
        yield sync_lazy_client["client"]
        await sync_lazy_client["client"].close()

    async def test_lazy_client(times, lazy_client):
        assert await lazy_client.ask() == b"x"

    async def test_lazy_client_behind_another(times, closed_client):
        assert await closed_client.ask() == b"x"

    class Pool:
        def __init__(self, port):
            self.port, self.free = port, []

        async def ask(self, count):
            taken = [self.free.pop() if self.free else await self.connect() for _ in range(count)]
            for reader, writer in taken:
                writer.write(b"x")
                assert await reader.read(1) == b"x"
            self.free += taken

        async def connect(self):
            return await asyncio.open_connection("127.0.0.1", self.port)

    @pytest.fixture(scope="module")
    async def pool(wide_server):
        pool = Pool(port_of(wide_server))
        yield pool.ask  # a bound method holds the pool
        for _, writer in pool.free:
            writer.close()

    async def test_pool(times, pool):
        await pool(times)

    @pytest.fixture(scope="module")
    async def group():
        async with asyncio.TaskGroup() as group:
            yield group

    async def test_task_in_a_wide_group(times, group):
        group.create_task(asyncio.sleep(0.01))

    @pytest.fixture(scope="module")
    async def ticker():
        async def ticks():
            while True:
                yield await asyncio.sleep(0.001)

        generator = ticks()
        async with aclosing(generator):
            yield generator

    async def test_wide_generator(times, ticker):
        async for _ in ticker:
            break

    class Holder:
        pool = None

    async def test_connection_of_a_class(times, wide_server):
        if Holder.pool is None:
            Holder.pool = Pool(port_of(wide_server))
        await Holder.pool.ask(1)

    # aiohttp

    async def index(request):
        return web.Response(text="hello")

    async def socket_handler(request):
        websocket = web.WebSocketResponse()
        await websocket.prepare(request)
        async for message in websocket:
            await websocket.send_str(message.data)
        return websocket

    def make_app():
        app = web.Application()
        app.router.add_get("/", index)
        app.router.add_get("/socket", socket_handler)
        return app

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        async def create_app(self):
            return make_app()

    async def test_service(times, rest: Rest, api: TestClient[Rest]):
        await api.get("/", status=200)
        async with aiohttp.ClientSession() as session, session.get(rest.url) as response:
            assert await response.text() == "hello"

    async def test_socket_of_service(times, rest: Rest):
        async with aiohttp.ClientSession() as session, session.ws_connect(rest.url + "/socket") as socket:
            await socket.send_str("x")
            assert (await socket.receive()).data == "x"

    async def test_proxy(times, slow: Proxy[Rest], api: TestClient[Proxy[Rest]]):
        await api.get("/", status=200)
        async with aiohttp.ClientSession() as session, session.get(slow.url) as response:
            assert await response.text() == "hello"

    @pytest.fixture(scope="module")
    async def session():
        async with aiohttp.ClientSession() as session:
            yield session

    async def test_wide_session(times, session, rest: Rest):
        async with session.get(rest.url) as response:
            assert await response.text() == "hello"

    async def test_aiohttp_by_hand(times):
        async with Client(TestServer(make_app())) as client:
            assert (await client.get("/")).status == 200

    async def test_runner(times):
        runner = web.AppRunner(make_app())
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = site._server.sockets[0].getsockname()[1]
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/") as response:
            assert response.status == 200
        await runner.cleanup()

    # Tasks

    async def test_awaited_task(times):
        await asyncio.create_task(asyncio.sleep(0))

    async def test_cancelled_task(times):
        asyncio.create_task(asyncio.sleep(60)).cancel()

    async def test_group(times):
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(asyncio.sleep(0))

    async def test_timeout(times):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.sleep(60), 0.001)

    # Async generators

    async def numbers():
        for number in range(3):
            yield number

    async def test_exhausted_generator(times):
        assert [number async for number in numbers()] == [0, 1, 2]

    async def test_closed_generator(times):
        async with aclosing(numbers()) as generator:
            await anext(generator)
        gc.collect()

    async def test_broken_off_generator(times):
        async for _ in numbers():
            break

    # Threads and processes

    async def test_to_thread(times):
        assert await asyncio.to_thread(lambda: 3) == 3

    async def test_executor(times):
        with ThreadPoolExecutor() as executor:
            await asyncio.get_running_loop().run_in_executor(executor, int)

    @pytest.fixture(scope="module")
    async def executor():
        with ThreadPoolExecutor() as executor:
            yield executor

    async def test_wide_executor(times, executor):
        await asyncio.get_running_loop().run_in_executor(executor, int)

    async def test_joined_thread(times):
        thread = threading.Thread(target=int)
        thread.start()
        thread.join()

    async def test_thread_that_is_about_to_end(times):
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        threading.Thread(target=lambda: loop.call_soon_threadsafe(event.set)).start()
        await event.wait()

    @pytest.fixture(scope="module")
    def worker():
        event = threading.Event()
        threading.Thread(target=event.wait).start()
        yield
        event.set()

    async def test_wide_thread(times, worker): ...

    async def test_process(times):
        process = await asyncio.create_subprocess_exec(sys.executable, "-Sc", "")
        assert await process.wait() == 0

    async def test_killed_process(times):
        process = await asyncio.create_subprocess_exec(sys.executable, "-Sc", "input()", stdin=subprocess.PIPE)
        process.kill()

    async def test_plain_process(times):
        subprocess.run([sys.executable, "-Sc", ""], check=True)

    @pytest.fixture(scope="module")
    def child():
        with subprocess.Popen([sys.executable, "-Sc", "input()"], stdin=subprocess.PIPE) as process:
            yield process
            process.communicate(b"x")

    async def test_wide_process(times, child): ...
"""
OTHERS: Final = """
    import asyncio

    import pytest

    @pytest.fixture(params=range(3))
    def times(request):
        return request.param

    anyio = pytest.importorskip("anyio")

    async def test_anyio_thread(times):
        assert await anyio.to_thread.run_sync(lambda: 3) == 3

    async def test_anyio_group(times):
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)

    async def test_httpx(times):
        httpx = pytest.importorskip("httpx")
        async def echo(reader, writer):
            await reader.readuntil(b"\\r\\n\\r\\n")
            writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")
            await writer.drain()
            writer.close()
        async with await asyncio.start_server(echo, "127.0.0.1", 0) as server, httpx.AsyncClient() as client:
            port = server.sockets[0].getsockname()[1]
            assert (await client.get(f"http://127.0.0.1:{port}/")).status_code == 200
"""
SHARED: Final = """
    import pytest

    @pytest.fixture(scope="session", autouse=True)
    async def shared():
        yield
"""


@pytest.mark.parametrize("conftest", ["", SHARED], ids=["own loops", "shared loop"])
def test_no_finding_where_nothing_is_left(pytester: pytest.Pytester, conftest: str) -> None:
    files = {"test_it.py": CLEAN, "test_others.py": OTHERS, "conftest.py": conftest}
    options = "--loop-watchdogs=leaks=error descriptors=off", "-pno:anyio", "-Wignore::ResourceWarning"
    result = run_apart(pytester, files, *options)
    assert (outcomes := result.parseoutcomes()).keys() <= {"passed", "skipped"}, output(result)
    assert outcomes["passed"] >= 180
