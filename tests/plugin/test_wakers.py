"""What may wake a waiting loop is no deadlock, and a thread that wakes nobody hides none."""

import sys

import pytest

from tests.plugin.suite import output, run_apart
from tests.plugin.test_deadlocks import HEAD, body

WAKERS = {
    "a thread": """
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        threading.Timer(0.15, loop.call_soon_threadsafe, [event.set]).start()
        await event.wait()
    """,
    "the executor": "await asyncio.to_thread(time.sleep, 0.15)",
    "the executor, again": """
        await asyncio.to_thread(print)
        await asyncio.to_thread(time.sleep, 0.15)
    """,
    "an executor of its own": """
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            await asyncio.get_running_loop().run_in_executor(pool, time.sleep, 0.15)
    """,
    "a coroutine from another thread": """
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        async def wake():
            event.set()
        def later():
            time.sleep(0.15)
            asyncio.run_coroutine_threadsafe(wake(), loop)
        threading.Thread(target=later).start()
        await event.wait()
    """,
    "a subprocess": """
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(0.15)")
        await process.wait()
    """,
    "a socket": """
        one, two = socket.socketpair()
        one.setblocking(False)
        subprocess.Popen([sys.executable, "-c", "import os, time; time.sleep(0.15); os.write(1, b'1')"], stdout=two)
        assert await asyncio.get_running_loop().sock_recv(one, 1) == b"1"
        one.close()
        two.close()
    """,
    "a signal of the loop": """
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, event.set)
        code = f"import os, time; time.sleep(0.15); os.kill({os.getpid()}, {signal.SIGUSR1.value})"
        subprocess.Popen([sys.executable, "-c", code])
        await event.wait()
        loop.remove_signal_handler(signal.SIGUSR1)
    """,
    "a signal handler": """
        event, loop = asyncio.Event(), asyncio.get_running_loop()
        before = signal.signal(signal.SIGALRM, lambda *_: loop.call_soon_threadsafe(event.set))
        signal.setitimer(signal.ITIMER_REAL, 0.15)
        await event.wait()
        signal.signal(signal.SIGALRM, before)
    """,
    "a timer": """
        event = asyncio.Event()
        asyncio.get_running_loop().call_later(0.15, event.set)
        await event.wait()
    """,
}


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals and socket pairs of a Unix system")
def test_nothing_that_may_be_woken_is_a_deadlock(pytester: pytest.Pytester) -> None:
    tests = "".join(
        f"""
@NEVER
async def test_{number}():
    if True:
{body(code)}
"""
        for number, code in enumerate(WAKERS.values())
    )
    result = run_apart(pytester, HEAD + tests, "-W", "ignore::ResourceWarning")
    result.assert_outcomes(passed=len(WAKERS))


def test_a_limit_of_a_request_wakes_the_loop(pytester: pytest.Pytester) -> None:
    """It is no timer of the loop's, since it counts real time."""
    result = run_apart(
        pytester,
        """
        import asyncio
        import pytest
        from looprig.runtime.clock import Timeout

        async def test_it():
            with pytest.raises(TimeoutError):
                async with Timeout(0.2):
                    await asyncio.Event().wait()
        """,
    )
    result.assert_outcomes(passed=1)


def test_the_end_of_an_executor_wakes_the_loop_that_closes(pytester: pytest.Pytester) -> None:
    """Its threads have ended by then, and on a busy machine it takes a while until the loop hears of it."""
    result = run_apart(
        pytester,
        """
        import asyncio
        import time
        from concurrent.futures import ThreadPoolExecutor

        class Slow(ThreadPoolExecutor):
            def shutdown(self, wait=True, *, cancel_futures=False):
                super().shutdown(wait=wait)
                time.sleep(0.2)

        async def test_it():
            asyncio.get_running_loop().set_default_executor(Slow(1))
            await asyncio.to_thread(print)
        """,
    )
    result.assert_outcomes(passed=1)


def test_a_service_in_a_thread_may_wake_the_loop_of_a_test(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        """
        import asyncio
        from collections.abc import Callable
        from dataclasses import dataclass

        from looprig import service_fixture

        @service_fixture(in_thread=True)
        @dataclass(kw_only=True)
        class Clock:
            async def start(self) -> None:
                self.calls: list[Callable[[], object]] = []
                self.task = asyncio.create_task(self.tick())

            async def tick(self) -> None:
                while not self.calls:
                    await asyncio.sleep(0.2)
                self.calls.pop()()

            async def stop(self) -> None:
                self.task.cancel()

        async def test_it(clock: Clock) -> None:
            event, loop = asyncio.Event(), asyncio.get_running_loop()
            clock.calls.append(lambda: loop.call_soon_threadsafe(event.set))
            await event.wait()
        """,
    )
    result.assert_outcomes(passed=1)


def test_the_thread_that_would_dump_tracebacks_wakes_nobody(pytester: pytest.Pytester) -> None:
    files = {
        "test_it.py": """
            import asyncio

            async def test_waits():
                await asyncio.Event().wait()
            """,
        "pytest.ini": """
            [pytest]
            faulthandler_timeout = 3000
            """,
    }
    result = run_apart(pytester, files, "-p", "faulthandler")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*DeadlockError: Deadlock: *"])


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncio waits for children without a thread")
def test_a_child_that_outlives_its_loop_wakes_nobody(pytester: pytest.Pytester) -> None:
    suite = """
    import asyncio
    import os
    import sys

    import pytest

    pids = []

    @pytest.fixture(scope="module", autouse=True)
    def end():
        yield
        os.kill(pids[0], 9)

    async def test_leaves_a_child():
        child = await asyncio.create_subprocess_exec(sys.executable, "-Sc", "input()", stdin=-1)
        pids.append(child.pid)

    async def test_waits():
        await asyncio.Event().wait()
    """
    result = run_apart(pytester, suite, "--loop-watchdogs=leaks=off", "-Wignore::ResourceWarning")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*DeadlockError: Deadlock: *"])


def test_threads_of_anyio_that_have_nothing_to_do_wake_nobody(pytester: pytest.Pytester) -> None:
    pytest.importorskip("anyio")
    result = run_apart(
        pytester,
        """
        import time
        import anyio.to_thread

        async def test_works():
            await anyio.to_thread.run_sync(time.sleep, 0.15)

        async def test_waits():
            await anyio.to_thread.run_sync(time.sleep, 0.01)
            await anyio.Event().wait()
        """,
        "-p",
        "no:anyio",
    )
    result.assert_outcomes(passed=1, failed=1)
    assert "Deadlock: the call of test_waits waits" in output(result)
