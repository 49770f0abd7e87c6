"""What a test or fixture leaves running or open fails it, and no other test: no plugin beside it, no marker."""

import re
from typing import Final

import pytest

from tests.plugin.suite import output, run_apart

LEAKING: Final = """
    import asyncio
    import os
    import signal
    import socket
    import subprocess
    import sys
    import threading
    from functools import partial

    import looprig
    import pytest

    STOPS = []

    class Knot:
        def __init__(self, *held):
            self.held = (self, *held)

    class Odd:
        __module__ = property(str)  # not a string, as in the class of Cython's functions

    ODD = Odd()

    async def forever():
        await asyncio.sleep(3600)

    async def numbers():
        yield 1
        yield 2

    async def listen():
        loop = asyncio.get_running_loop()
        return await loop.create_server(asyncio.Protocol, "127.0.0.1", 0)

    async def connect(port):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", port)
        return transport

    @pytest.fixture(scope="module")
    def port():
        with socket.create_server(("127.0.0.1", 0)) as server:
            yield server.getsockname()[1]

    def keep(*held):
        loop = asyncio.get_running_loop()
        loop.kept = getattr(loop, "kept", ()) + held

    def ended():
        event = threading.Event()
        STOPS.append(event.set)
        return event

    def sleeping():
        return [sys.executable, "-c", "import time; time.sleep(60)"]

    @pytest.fixture(scope="module", autouse=True)
    def stop():
        yield
        for each in STOPS:
            each()

    async def test_task():
        asyncio.create_task(forever())

    async def test_task_in_a_cycle():
        Knot(asyncio.create_task(forever()))

    async def test_listener():
        await listen()

    async def test_listener_in_a_cycle():
        Knot(await listen())

    async def test_transport(port):
        await connect(port)

    async def test_transport_in_a_cycle(port):
        Knot(await connect(port))

    async def test_datagrams_in_a_cycle():
        loop = asyncio.get_running_loop()
        Knot(*await loop.create_datagram_endpoint(asyncio.DatagramProtocol, ("127.0.0.1", 0)))

    async def test_reader():
        reading, writing = socket.socketpair()
        asyncio.get_running_loop().add_reader(reading, listen)
        keep(reading, writing)

    async def test_process():
        process = await asyncio.create_subprocess_exec(*sleeping())
        STOPS.append(partial(os.kill, process.pid, signal.SIGKILL))

    async def test_process_in_a_cycle():
        process = await asyncio.create_subprocess_exec(*sleeping(), stdin=subprocess.PIPE)
        Knot(process)
        STOPS.append(partial(os.kill, process.pid, signal.SIGKILL))

    async def test_plain_process_in_a_cycle():
        process = subprocess.Popen(sleeping())
        Knot(process)
        STOPS.append(partial(os.kill, process.pid, signal.SIGKILL))
        process.returncode = 0  # or it warns when it is freed

    async def test_thread():
        threading.Thread(target=ended().wait).start()

    async def test_thread_in_a_cycle():
        thread = threading.Thread(target=ended().wait)
        Knot(thread)
        thread.start()

    async def test_generator():
        generator = numbers()
        await anext(generator)
        keep(generator)

    async def test_generator_in_a_cycle():
        generator = numbers()
        Knot(generator)
        await anext(generator)

    @looprig.watchdogs(descriptors="error")
    async def test_descriptor():
        STOPS.append(open(__file__).close)

    @looprig.watchdogs(descriptors="error")
    async def test_descriptor_in_a_cycle():
        Knot(open(os.__file__))

    async def test_leaves_nothing(): ...
"""
LEAKS: Final = {
    "task": "The task forever was still running when test_task ended.",
    "task_in_a_cycle": "The task forever was still running when test_task_in_a_cycle ended.",
    "listener": "was still listening when test_listener ended.",
    "listener_in_a_cycle": "was still listening when test_listener_in_a_cycle ended.",
    "transport": "The connection to 127.0.0.1:",
    "transport_in_a_cycle": "The connection to 127.0.0.1:",
    "datagrams_in_a_cycle": "(DatagramProtocol) was still open when test_datagrams_in_a_cycle ended.",
    "reader": "The connection that listen waits for was still open when test_reader ended.",
    "process": "import time; time.sleep(60)) was still running when test_process ended.",
    "process_in_a_cycle": "was still running when test_process_in_a_cycle ended.",
    "plain_process_in_a_cycle": "was still running when test_plain_process_in_a_cycle ended.",
    "thread": "was still running when test_thread ended.",
    "thread_in_a_cycle": "was still running when test_thread_in_a_cycle ended.",
    "generator": "The async generator numbers was still suspended when test_generator ended.",
    "generator_in_a_cycle": "The async generator numbers was still suspended when test_generator_in_a_cycle ended.",
    "descriptor": "was still open when test_descriptor ended.",
    "descriptor_in_a_cycle": "was still open when test_descriptor_in_a_cycle ended.",
}
SHARED: Final = """
    import pytest

    @pytest.fixture(scope="session", autouse=True)
    async def shared():
        yield
"""
ALL: Final = ("--loop-watchdogs=error descriptors=off", "-Wignore::ResourceWarning")


@pytest.mark.parametrize("conftest", ["", SHARED], ids=["own loop", "shared loop"])
def test_each_leak_fails_its_own_test_and_no_other(pytester: pytest.Pytester, conftest: str) -> None:
    result = run_apart(pytester, {"test_it.py": LEAKING, "conftest.py": conftest}, *ALL)
    result.assert_outcomes(passed=len(LEAKS) + 1, errors=len(LEAKS))
    error = r"(?s)ERROR at teardown of test_(\w+) _+\n\n>   async def test_.*?\nE   looprig.LeakError: (.*?)\n"
    found = dict(re.findall(error, output(result)))
    assert found.keys() == LEAKS.keys()
    assert [name for name, text in LEAKS.items() if text not in found[name]] == []


def test_no_finding_in_a_test_that_an_exception_ends(pytester: pytest.Pytester) -> None:
    suite = """
        import asyncio

        import pytest

        async def stop_before_the_end(stop):
            task = asyncio.create_task(asyncio.sleep(60))
            stop("here")
            task.cancel()

        async def test_fails(): await stop_before_the_end(pytest.fail)
        async def test_is_expected_to_fail(): await stop_before_the_end(pytest.xfail)
        async def test_skips_the_rest(): await stop_before_the_end(pytest.skip)

        @pytest.mark.xfail
        async def test_is_marked(): await stop_before_the_end(pytest.fail)
    """
    result = run_apart(pytester, suite, "--loop-watchdogs=leaks=error")
    result.assert_outcomes(failed=1, xfailed=2, skipped=1)
