"""Tests beside a loop that a paused greenlet left running in the main thread, as Playwright's sync API does."""

import pytest

from tests.plugin.suite import run_apart

pytest.importorskip("greenlet")

SUITE = """
import asyncio
import threading

import greenlet
import pytest
from looprig import TcpService, eventually, service_fixture

class Browser:
    '''A sync client whose loop runs in a greenlet, which is paused between two calls.'''

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self.user = greenlet.getcurrent()
        self.greenlet = greenlet.greenlet(self.loop.run_forever)
        self.loop.call_soon(self.user.switch)
        self.greenlet.switch()

    def read(self, port):
        async def read():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            line = await reader.readline()
            writer.close()
            return line
        asyncio._set_running_loop(self.loop)
        task = self.loop.create_task(read())
        task.add_done_callback(lambda _: self.user.switch())
        self.greenlet.switch()
        asyncio._set_running_loop(self.loop)
        return task.result()

    def close(self):
        self.loop.call_soon(self.loop.stop)
        self.greenlet.switch()
        self.loop.close()

@pytest.fixture(scope="session")
def browser():
    browser = Browser()
    assert asyncio.get_running_loop() is browser.loop
    yield browser
    browser.close()

class Hello(TcpService):
    async def handle(self, reader, writer):
        writer.write(b"hello\\\\n")
        await writer.drain()

@service_fixture(scope="session", in_thread=True)
class InThread(Hello): ...

@service_fixture(scope="session")
class OnLoop(Hello): ...

async def test_before(on_loop: OnLoop): ...

def test_sync(browser, in_thread: InThread):
    assert browser.read(in_thread.port) == b"hello\\\\n"

def test_waits(browser):
    done = []
    threading.Timer(0.02, done.append, [1]).start()
    for attempt in eventually():
        with attempt:
            assert done

async def test_on_a_loop_that_ran_before(on_loop: OnLoop):
    reader, writer = await asyncio.open_connection(*on_loop.address)
    assert await reader.readline() == b"hello\\\\n"
    writer.close()

@pytest.fixture
async def loops():
    yield asyncio.get_running_loop()

async def test_on_a_new_loop(loops):
    assert asyncio.get_running_loop() is loops

def test_sync_again(browser, in_thread: InThread):
    assert browser.read(in_thread.port) == b"hello\\\\n"

async def test_no_other_loop_inside_of_one(request):
    with pytest.raises(Exception, match="while its loop was running"):
        request.getfixturevalue("loops")
""".replace("\\\\", "\\")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_async_and_sync_tests_take_turns(pytester: pytest.Pytester, loop: str) -> None:
    pytest.importorskip(loop)
    run_apart(pytester, SUITE, f"--loop-factory={loop}").assert_outcomes(passed=7)
