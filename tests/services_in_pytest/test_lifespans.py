"""The lifespan of an ASGI application under tests: its errors are those of the test that runs, or of the teardown."""

import signal
from collections.abc import Iterator

import pytest

from tests.plugin.suite import output, run, start

HEAD = """
    import asyncio
    from dataclasses import dataclass, field

    from looprig import AsgiService, TestClient, service_fixture

    @dataclass(kw_only=True)
    class Base(AsgiService):
        broken: asyncio.Event = field(default_factory=asyncio.Event, init=False)

        async def create_app(self):
            return self.app_under_test

        async def app_under_test(self, scope, receive, send):
            if scope["type"] == "http":
                await send({"type": "http.response.start", "status": 204, "headers": []})
                await send({"type": "http.response.body"})
                return
            await receive()
            await self.live(receive, send)
"""


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_task_that_fails_in_it_fails_the_test_that_runs(pytester: pytest.Pytester, mode: str) -> None:
    result = run(
        pytester,
        HEAD
        + f"""
    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest(Base):
        lifespan: str = "{mode}"

        async def consume(self):
            await self.broken.wait()
            raise ConnectionError("the broker is gone")

        async def live(self, receive, send):
            async with asyncio.TaskGroup() as group:
                group.create_task(self.consume())
                await send({{"type": "lifespan.startup.complete"}})
                await receive()

    async def test_asks(api: TestClient[Rest]): await api.get("/", status=204)
    async def test_waits(rest: Rest):
        rest.broken.set()
        await asyncio.sleep(3600)
    async def test_later(api: TestClient[Rest]): ...
    async def test_does_not_use_it(): ...
    """,
    )
    result.assert_outcomes(passed=2, failed=1, errors=1)
    text = output(result)
    told = (
        "looprig.FixtureCrashedError: Fixture Rest crashed while it was in use: ConnectionError: the broker is gone\n"
    )
    assert text.count(told) == 2
    assert "FAILED test_it.py::test_waits - looprig.FixtureCrashedError" in text


WITH_REQUEST = (
    HEAD
    + """
    import aiohttp

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest(Base):
        async def app_under_test(self, scope, receive, send):
            if scope["type"] == "http":
                await asyncio.Event().wait()
            await super().app_under_test(scope, receive, send)

        async def consume(self):
            await self.broken.wait()
            raise ConnectionError("the broker is gone")

        async def live(self, receive, send):
            async with asyncio.TaskGroup() as group:
                group.create_task(self.consume())
                await send({"type": "lifespan.startup.complete"})
                await receive()
    """
)


@pytest.mark.parametrize("ask", ["await api.get('/')", "with suppress(aiohttp.ClientError): await api.get('/')"])
def test_a_request_that_is_open_does_not_hide_the_cause(pytester: pytest.Pytester, ask: str) -> None:
    result = run(
        pytester,
        WITH_REQUEST
        + f"""
    from contextlib import suppress

    async def test_asks(api: TestClient[Rest]):
        api.service.broken.set()
        {ask}
    async def test_later(api: TestClient[Rest]): ...
    async def test_does_not_use_it(): ...
    """,
    )
    result.assert_outcomes(passed=1, failed=1, errors=1)
    text = output(result)
    assert "FAILED test_it.py::test_asks - looprig.FixtureCrashedError: Fixture Rest cras" in text
    assert "ERROR test_it.py::test_later - looprig.FixtureCrashedError: Fixture Rest cras" in text


def test_a_client_of_a_service_that_has_ended_early_says_so(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    import asyncio
    from dataclasses import dataclass
    from looprig import TestClient, service_fixture

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest:
        url: str = "http://127.0.0.1:1"

        async def run(self):
            self.task = asyncio.current_task()
            try:
                yield
            except asyncio.CancelledError:
                self.task.uncancel()

    async def test_ends_it(rest: Rest):
        rest.task.cancel()
        await asyncio.sleep(0)
    async def test_later(api: TestClient[Rest]): ...
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "looprig.LooprigError: Rest has ended before its teardown, so a TestClient cannot reach it.\n" in output(
        result
    )


@pytest.mark.parametrize("mode", ["auto", "on"])
def test_a_shutdown_that_fails_is_an_error_of_the_teardown(pytester: pytest.Pytester, mode: str) -> None:
    result = run(
        pytester,
        HEAD
        + f"""
    @service_fixture
    @dataclass(kw_only=True)
    class Rest(Base):
        lifespan: str = "{mode}"

        async def live(self, receive, send):
            await send({{"type": "lifespan.startup.complete"}})
            await receive()
            await send({{"type": "lifespan.shutdown.failed", "message": "the pool did not close"}})

    async def test_asks(api: TestClient[Rest]): await api.get("/", status=204)
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "looprig.LooprigError: The lifespan of Rest failed: the pool did not close\n" in output(result)


NEVER_STARTS = (
    HEAD
    + """
    @service_fixture
    @dataclass(kw_only=True)
    class Rest(Base):
        async def live(self, receive, send):
            print("is starting")
            try:
                await asyncio.Event().wait()
            finally:
                print("was cancelled")

    async def test_it(rest: Rest): ...
    """
)


def test_a_start_is_ended_by_the_time_limit_of_the_test(pytester: pytest.Pytester) -> None:
    result = run(pytester, NEVER_STARTS, "--loop-timeout=0.5", "-s")
    result.assert_outcomes(errors=1)
    text = output(result)
    assert "TimeoutExpiredError: The set-up of test_it took longer than 0.5 s" in text
    assert "was cancelled" in text


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="POSIX only")
def test_a_start_is_ended_by_an_interrupt(pytester: pytest.Pytester) -> None:
    process = start(pytester, NEVER_STARTS)
    assert process.stdout is not None
    lines: Iterator[str] = iter(process.stdout)
    assert any("is starting" in line for line in lines)
    process.send_signal(signal.SIGINT)
    assert any("was cancelled" in line for line in lines)
    with process.stdout:
        process.stdout.read()
    assert process.wait(10) == pytest.ExitCode.INTERRUPTED
