"""The descriptors of a loop, and of connections on it, are no leaks of their own."""

from pathlib import Path
from typing import Final

import pytest

from tests.plugin.suite import run_apart

HALF_CLOSED: Final = """
    import asyncio

    import pytest

    async def handle(reader, writer):
        writer.write(b"x")
        await reader.read()
        SEEN.set()
        await STOPPING.wait()
        writer.close()
        await writer.wait_closed()
        CLOSED.set()

    SEEN, STOPPING, CLOSED = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @pytest.fixture(scope="module")
    async def server():
        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        yield server.sockets[0].getsockname()
        server.close()
        STOPPING.set()
        await CLOSED.wait()

    @pytest.fixture(scope="module")
    async def client(server):
        reader, writer = await asyncio.open_connection(*server)
        assert await reader.read(1) == b"x"
        yield
        writer.close()
        await SEEN.wait()

    async def test_client(client): ...

    async def test_alone(): ...
"""


@pytest.mark.parametrize("factory", ["asyncio", "uvloop"])
def test_descriptors_of_loops_and_their_connections_are_no_leaks(pytester: pytest.Pytester, factory: str) -> None:
    if factory == "uvloop":
        pytest.importorskip("uvloop")
    result = run_apart(pytester, HALF_CLOSED, "--loop-watchdogs=error", f"--loop-factory={factory}")
    result.assert_outcomes(passed=2)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs the /proc of Linux")
def test_what_threads_of_looprig_read_is_no_leak_of_a_test(pytester: pytest.Pytester) -> None:
    """The patrol opens the same files at any time, also while those of the test are listed."""
    suite = """
    import os

    async def test_reads():
        os.open("/proc/self/stat", os.O_RDONLY)

    async def test_opens():
        os.open(__file__, os.O_RDONLY)
    """
    run_apart(pytester, suite, "--loop-watchdogs=descriptors=error").assert_outcomes(passed=2, errors=1)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs the /proc of Linux")
def test_a_file_that_another_thread_is_about_to_close_is_no_leak(pytester: pytest.Pytester) -> None:
    """Any thread may import a module at any time, or read a source file to measure coverage."""
    suite = """
    import threading
    import time

    import pytest

    def read():
        ASKED.wait()
        with open(__file__):
            OPENED.set()
            time.sleep(0.03)

    ASKED, OPENED = threading.Event(), threading.Event()

    @pytest.fixture(scope="module", autouse=True)
    def reader():
        thread = threading.Thread(target=read)
        thread.start()
        yield
        thread.join()

    async def test_it():
        ASKED.set()
        OPENED.wait()
    """
    run_apart(pytester, suite, "--loop-watchdogs=descriptors=error").assert_outcomes(passed=1)
