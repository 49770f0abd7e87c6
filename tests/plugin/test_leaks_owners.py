"""A leak is its owner's: the test's with its own fixtures, or a wider fixture's, which leaves it when it ends.

What leaves connections or threads runs apart, since they would outlive the test in this process.
"""

import sys
from typing import Final

import pytest

from tests.plugin.suite import output, run, run_apart

ERROR: Final = "--loop-watchdogs=leaks=error descriptors=off"
FOREVER: Final = """
    import asyncio
    import threading

    import looprig
    import pytest

    async def forever():
        await asyncio.sleep(3600)
"""


def test_the_error_names_the_lines_and_the_fix(pytester: pytest.Pytester) -> None:
    suite = FOREVER + (
        """
    async def test_forgets():
        asyncio.create_task(forever())
    """
    )
    result = run(pytester, suite, ERROR)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "E   looprig.LeakError: The task forever was still running when test_forgets ended.",
            "E     test_it.py:8: forever",
            "E     test_it.py:12: forever was started here",
            "E     test_it.py:9: forever waits here",
            "E     test_it.py:11: test_forgets",
            "E   Await the task, or cancel it and await it. If it should outlive the test, start it in a wider "
            'fixture. If it is expected, allow it: @looprig.watchdogs(tasks="off").',
            "test_it.py:11: LeakError",
        ]
    )


def test_several_of_a_kind_are_one_error(pytester: pytest.Pytester) -> None:
    suite = FOREVER + (
        """
    async def test_forgets():
        for _ in range(7):
            asyncio.create_task(forever())
    """
    )
    result = run(pytester, suite, ERROR)
    names = ", ".join(["forever"] * 5)
    assert f"LeakError: 7 tasks were still running when test_forgets ended: {names}, and 2 more." in output(result)


def test_leaks_are_warnings_by_default(pytester: pytest.Pytester) -> None:
    suite = FOREVER + (
        """
    async def test_forgets():
        asyncio.create_task(forever())
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(passed=1)
    assert "watchdogs noted 1 finding in 1 test" in output(result)


@pytest.mark.parametrize(
    "marker",
    [
        "@looprig.watchdogs(tasks='off')",
        "@looprig.watchdogs(leaks='off')",
        "@looprig.watchdogs(leaks='off', threads='error')",
    ],
)
def test_a_marker_turns_a_kind_or_all_leaks_off(pytester: pytest.Pytester, marker: str) -> None:
    suite = FOREVER + (
        f"""
    {marker}
    async def test_forgets():
        asyncio.create_task(forever())
    """
    )
    result = run(pytester, suite, ERROR)
    result.assert_outcomes(passed=1)
    assert "noted" not in output(result)


@pytest.mark.parametrize("scope", ["function", "module"])
@pytest.mark.parametrize("kind", ["task", "sync_task", "server", "thread", "generator"])
def test_a_fixture_is_named_as_the_owner(pytester: pytest.Pytester, scope: str, kind: str) -> None:
    """What a fixture for one test leaves is found when the test ends; a wider one when it ends itself."""
    suite = FOREVER + (
        f"""
    EVENT = threading.Event()

    @pytest.fixture(scope="{scope}")
    async def task():
        asyncio.create_task(forever())
        yield

    @pytest.fixture(scope="{scope}")
    def sync_task(loop_scope):
        loop_scope.create_task(forever())

    @pytest.fixture(scope="{scope}")
    async def loop_scope():
        yield asyncio.get_running_loop()

    @pytest.fixture(scope="{scope}")
    async def server():
        await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
        yield

    @pytest.fixture(scope="{scope}")
    async def thread():
        threading.Thread(target=EVENT.wait).start()
        yield

    @pytest.fixture(scope="{scope}")
    async def generator():
        async def numbers():
            yield 1
            yield 2
        looping = [numbers()]
        looping.append(looping)
        await anext(looping[0])
        yield looping

    async def test_first({kind}): ...

    async def test_second({kind}): ...

    async def test_third({kind}): ...
    """
    )
    other = "def test_stops():\n    import test_it\n    test_it.EVENT.set()\n"
    result = run_apart(pytester, {"test_it.py": suite, "test_other.py": other}, ERROR)
    shown = output(result)
    if scope == "function":
        result.assert_outcomes(passed=4, errors=3)
        return
    result.assert_outcomes(passed=4, errors=1)
    assert "ERROR at teardown of test_third" in shown
    if kind != "generator":
        assert f"when {kind} ended" in shown or f": {kind}\n" in shown


def test_a_wide_fixture_ends_what_a_test_started_in_it(pytester: pytest.Pytester) -> None:
    """A reader that a client starts when it is first used lives as long as the client, not as long as the test."""
    suite = FOREVER + (
        """
    class Client:
        def use(self):
            self.task = asyncio.create_task(forever())

    @pytest.fixture(scope="module")
    async def client():
        yield Client()

    async def test_first(client):
        client.use()

    async def test_second(client):
        assert not client.task.done()

    def test_third():
        pass
    """
    )
    result = run(pytester, suite, ERROR)
    result.assert_outcomes(passed=3, errors=1)
    assert "when client ended" in output(result)
    assert "ERROR at teardown of test_second" in output(result) or "ERROR at teardown of test_third" in output(result)


def test_what_a_test_starts_itself_ends_with_it_whoever_holds_it(pytester: pytest.Pytester) -> None:
    suite = FOREVER + (
        """
    @pytest.fixture(scope="module")
    async def holder():
        yield []

    async def test_first(holder):
        def start():
            holder.append(asyncio.create_task(forever()))
        start()

    async def test_second(holder):
        await holder[0]
    """
    )
    result = run(pytester, suite, "--loop-watchdogs=leaks=off")
    result.assert_outcomes(passed=1, failed=1)
    assert "CancelledError: left over by test_first (test_it.py:" in output(result)


def test_a_failed_test_is_not_reported_for_what_it_left(pytester: pytest.Pytester) -> None:
    suite = FOREVER + (
        """
    @pytest.fixture(scope="module", autouse=True)
    async def shared():
        yield

    async def test_fails():
        asyncio.create_task(forever())
        await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
        assert False

    async def test_passes(): ...
    """
    )
    result = run_apart(pytester, suite, ERROR, "-Wignore::ResourceWarning")
    result.assert_outcomes(passed=1, failed=1)
    assert "still" not in output(result)


def test_what_another_loop_runs_is_no_leak(pytester: pytest.Pytester) -> None:
    suite = FOREVER + (
        """
    def test_sync():
        threading.Thread(target=asyncio.run, args=(asyncio.sleep(0.2),)).start()

    async def test_async(): ...
    """
    )
    run_apart(pytester, suite, ERROR).assert_outcomes(passed=2)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="a server waits for its connections to end")
def test_a_cancelled_connection_is_no_failure_in_the_background(pytester: pytest.Pytester) -> None:
    """Python 3.11 passes the cancellation of a connection's task to the loop's exception handler."""
    suite = """
    import asyncio

    async def wait(reader, writer):
        await reader.read()

    async def test_leaves_a_connection():
        server = await asyncio.start_server(wait, "127.0.0.1", 0)
        async with server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            await asyncio.sleep(0.01)
        asyncio.get_running_loop().writer = writer
    """
    options = "--loop-watchdogs=error leaks=off", "-Wignore::ResourceWarning"
    run_apart(pytester, suite, *options).assert_outcomes(passed=1)


@pytest.mark.skipif(sys.version_info >= (3, 15), reason="asyncio itself does not accept this selector")
def test_a_loop_may_have_a_selector_of_its_own(pytester: pytest.Pytester) -> None:
    suite = """
    import asyncio
    from unittest.mock import Mock

    import pytest

    @pytest.fixture
    def loop_factory():
        def make():
            loop = asyncio.SelectorEventLoop()
            selector = loop._selector
            names = "select", "close", "unregister", "get_key"
            loop._selector = Mock(**{name: getattr(selector, name) for name in names})
            return loop
        return make

    async def test_it(loop_factory):
        await asyncio.sleep(0)
    """
    run(pytester, suite, ERROR).assert_outcomes(passed=1)


def test_a_thread_of_the_loops_executor_belongs_to_the_loop(pytester: pytest.Pytester) -> None:
    suite = """
    import asyncio

    import pytest

    @pytest.fixture(scope="session")
    async def wide():
        yield

    @pytest.fixture(scope="module")
    async def resolves(wide):
        await asyncio.to_thread(print)
        yield

    async def test_it(resolves): ...
    """
    files = {"test_a.py": suite, "test_b.py": suite}
    run_apart(pytester, files, ERROR).assert_outcomes(passed=2)


def test_what_a_requested_fixture_starts_is_its_own(pytester: pytest.Pytester) -> None:
    """The fixture that requests it at run time ends first."""
    suite = """
    import threading

    import looprig
    import pytest

    @pytest.fixture(scope="session")
    async def worker():
        event = threading.Event()
        thread = threading.Thread(target=event.wait)
        thread.start()
        yield
        event.set()
        thread.join()

    @pytest.fixture(scope="session", params=["worker"])
    async def requesting(request):
        await looprig.ask(request.param)

    async def test_it(requesting): ...
    """
    run_apart(pytester, suite, ERROR).assert_outcomes(passed=1)


def test_a_handler_belongs_to_its_server_on_uvloop_too(pytester: pytest.Pytester) -> None:
    pytest.importorskip("uvloop")
    suite = """
    import asyncio
    import pytest

    async def wait(reader, writer):
        await reader.read()
        await asyncio.sleep(60)

    @pytest.fixture(scope="module")
    async def server():
        server = await asyncio.start_server(wait, "127.0.0.1", 0)
        yield server
        server.close()

    async def test_uses(server):
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await asyncio.sleep(0.05)
        writer.close()

    async def test_next(server): ...
    """
    options = "--loop-watchdogs=off tasks=error", "--loop-factory=uvloop", "-Wignore::ResourceWarning"
    run_apart(pytester, suite, *options).assert_outcomes(passed=2)
