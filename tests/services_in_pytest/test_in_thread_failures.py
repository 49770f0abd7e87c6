"""What fails in the thread of services fails the test that uses it, and nothing waits for ever."""

import pytest

from tests.plugin.suite import run
from tests.services_in_pytest.in_thread_suite import HEAD

CRASHING = (
    HEAD
    + """
    @service_fixture(scope="module", in_thread=True)
    class Fragile(TcpService):
        async def handle(self, reader, writer):
            self.asked.set()
            await asyncio.sleep(3600)

        async def run(self):
            self.asked = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(self.fail())
                async for _ in TcpService.run(self):
                    yield

        async def fail(self):
            await self.asked.wait()
            raise ZeroDivisionError("in the service")

        async def provoke(self):
            self.asked.set()
"""
)


def test_a_crash_interrupts_a_sync_test_that_blocks(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        CRASHING
        + """
    def test_blocks(fragile):
        waiting, other = socket.socketpair()
        with waiting, other, socket.create_connection(fragile.address):
            waiting.recv(1)

    def test_later(fragile): ...
    def test_none(): ...
    """,
    )
    result.assert_outcomes(failed=1, errors=1, passed=1)
    result.stdout.fnmatch_lines(
        [
            "*ERROR at setup of test_later*",
            "*Fragile crashed while it was in use: ZeroDivisionError: in the service*",
            "*_ test_blocks _*",
            "*raise ZeroDivisionError(*",
            "E *ZeroDivisionError: in the service",
            ">*waiting.recv(1)",
            "E*FixtureCrashedError: Fixture Fragile crashed while it was in use: ZeroDivisionError: in the service",
        ]
    )


def test_a_crash_takes_the_place_of_what_it_causes(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        CRASHING
        + """
    def test_fails_itself(fragile):
        with socket.create_connection(fragile.address) as connection:
            connection.settimeout(10)
            assert connection.recv(1) == b"x"
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E *ZeroDivisionError: in the service",
            "E*FixtureCrashedError: Fixture Fragile crashed while it was in use*",
            "E*What used it then failed: AssertionError: assert b'' == b'x'*",
        ]
    )


def test_a_crash_fails_a_sync_test_that_passes(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        CRASHING
        + """
    def test_passes(fragile):
        call_service(fragile.provoke())
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *ZeroDivisionError: in the service"])


def test_a_crash_cancels_an_async_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        CRASHING
        + """
    async def test_waits(fragile):
        await fragile.provoke()
        await asyncio.sleep(60)

    @pytest.fixture
    async def waits(fragile):
        await asyncio.sleep(60)
    """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *ZeroDivisionError: in the service", "*async def test_waits(fragile):"])


def test_a_failure_in_the_background_of_the_thread_fails_the_running_test(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture(scope="module", in_thread=True)
    class Sloppy:
        async def start(self): ...
        async def stop(self): ...
        async def begin(self):
            asyncio.get_running_loop().call_soon(self.fail)
        def fail(self):
            raise ZeroDivisionError("in the background")

    def test_sync(sloppy):
        call_service(sloppy.begin())

    async def test_async(sloppy):
        await sloppy.begin()

    def test_none(sloppy): ...
    """,
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["E *ZeroDivisionError: in the background"] * 2)


LIFE = (
    HEAD
    + """
    import time

    import looprig

    class Life:
        async def start(self): ...
        async def stop(self): ...
"""
)


def test_a_start_that_fails_or_never_ends(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        LIFE
        + """
    @service_fixture(in_thread=True)
    class Fails(Life):
        async def start(self): raise ZeroDivisionError("at the start")

    @service_fixture(in_thread=True, start_timeout=0.2)
    class Waits(Life):
        async def start(self): await asyncio.Event().wait()

    @service_fixture(in_thread=True, start_timeout=0.2)
    class Blocks(Life):
        async def start(self): time.sleep(1.5)

    @service_fixture(in_thread=True)
    class StopFails(Life):
        async def stop(self): raise ZeroDivisionError("at the end")

    def test_fails(fails): ...
    def test_waits(waits): ...
    def test_blocks(blocks): ...
    def test_stop_fails(stop_fails): ...
    def test_works(rest): assert read(rest.url + "/users") == "[]"
    """,
    )
    result.assert_outcomes(passed=3, errors=3)
    result.stdout.fnmatch_lines(
        [
            "*ServiceStartError: Service Fails did not start: ZeroDivisionError: at the start.",
            "*ServiceStartError: Service Waits was not ready within 0.2 s.",
            "*test_it.py:* in start",
            "*ZeroDivisionError: at the end",
            "*It was raised while the service StopFails stopped.",
        ]
    )


def test_a_blocked_thread_is_left_behind_and_reported(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("looprig.runtime.loop_thread._PATIENCE", 0.5)
    result = run(
        pytester,
        LIFE
        + """
    free = threading.Event()

    @service_fixture(in_thread=True, start_timeout=0.2)
    class Blocks(Life):
        async def start(self): free.wait()

    @service_fixture(in_thread=True)
    class Stops(Life):
        async def stop(self): free.wait()

    def test_blocks(blocks): ...
    def test_works(rest): assert read(rest.url + "/users") == "[]"

    @looprig.timeout(0.5)
    def test_stop(stops): ...

    @pytest.fixture(scope="session", autouse=True)
    def last():
        yield
        free.set()
    """,
    )
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*The set-up of Blocks did not end: something blocks the thread of the services*"])
    result.stdout.fnmatch_lines(["*test_it.py:* in start"])


def test_time_limits_apply_to_sync_tests_that_use_the_thread(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        LIFE
        + """
    @service_fixture(scope="module", in_thread=True)
    class Silent(TcpService):
        async def handle(self, reader, writer):
            await asyncio.sleep(3600)

        async def forever(self):
            await asyncio.sleep(3600)

    @pytest.mark.loop_timeout(0.3)
    def test_reads(silent):
        with socket.create_connection(silent.address) as connection:
            connection.recv(1)

    @pytest.mark.loop_timeout(0.3)
    def test_calls(silent):
        call_service(silent.forever())

    def test_later(silent): ...
    """,
    )
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(
        [
            "*The call of test_reads took longer than 0.3 s.",
            "*The call of test_calls took longer than 0.3 s.",
        ]
    )


def test_calls_from_the_wrong_place_say_what_to_do(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        LIFE
        + """
    from contextlib import asynccontextmanager
    from looprig import LooprigError

    @service_fixture(scope="module", in_thread=True)
    class Events(Life):
        async def events(self):
            yield 1

        @asynccontextmanager
        async def transaction(self):
            yield 2

        async def all_events(self):
            async with self.transaction() as found:
                return [event async for event in self.events()] + [found]

        async def calls_itself(self):
            call_service(self.all_events())

        async def fails(self):
            raise KeyError("x")

    async def add(): ...

    def test_none():
        with pytest.raises(LooprigError, match="but no service runs in a thread"):
            call_service(add())

    async def test_async(events):
        with pytest.raises(LooprigError, match="whose loop would stand still meanwhile"):
            call_service(events.all_events())
        assert await events.all_events() == [1, 2]
        with pytest.raises(LooprigError, match=r"Events\\.events was called outside of the loop of Events"):
            events.events()
        with pytest.raises(LooprigError, match=r"Events\\.transaction was called outside of the loop of Events"):
            async with events.transaction(): ...
        with pytest.raises(KeyError):
            await events.fails()

    def test_sync(events):
        assert call_service(events.all_events()) == [1, 2]
        with pytest.raises(LooprigError, match="whose loop would stand still meanwhile"):
            call_service(events.calls_itself())
        with pytest.raises(KeyError):
            call_service(events.fails())
        assert asyncio.run(events.all_events()) == [1, 2]
        assert call_service(asyncio.wait_for(events.all_events(), 10)) == [1, 2]
    """,
    )
    result.assert_outcomes(passed=3)


def test_tasks_that_a_test_leaves_in_the_thread_are_ended_and_noted(pytester: pytest.Pytester) -> None:
    """As on the loop of a test: what the service holds is the service's."""
    result = run(
        pytester,
        LIFE
        + """
    ended = []

    @service_fixture(scope="module", in_thread=True)
    class Worker(Life):
        async def begin(self, keep):
            task = asyncio.create_task(asyncio.sleep(3600))
            task.add_done_callback(lambda _: ended.append(task.cancelled()))
            if keep:
                self.task = task

    def test_leaves(worker):
        call_service(worker.begin(keep=False))

    async def test_leaves_too(worker):
        assert ended == [True]
        await worker.begin(keep=False)

    def test_keeps(worker):
        assert ended == [True, True]
        call_service(worker.begin(keep=True))

    def test_kept(worker):
        assert not worker.task.done()
    """,
        "--loop-watchdogs=error",
    )
    result.assert_outcomes(passed=4, errors=3)
    result.stdout.fnmatch_lines(
        [
            "E*LeakError: The task sleep was still running when test_leaves ended.",
            "E*LeakError: The task sleep was still running when test_leaves_too ended.",
            "E*LeakError: The task sleep was still running when Worker ended.",
        ]
    )


def test_an_exit_in_the_thread_ends_neither_the_thread_nor_the_run(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        LIFE
        + """
    @service_fixture(scope="module", in_thread=True)
    class Exits(Life):
        async def exit(self):
            asyncio.get_running_loop().call_soon(lambda: exit(3))

        async def works(self):
            return 1

    def test_exits(exits):
        call_service(exits.exit())

    def test_later(exits):
        assert call_service(exits.works()) == 1
    """,
    )
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["E*SystemExit: 3*"])
