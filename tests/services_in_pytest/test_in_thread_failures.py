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
