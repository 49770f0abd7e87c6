"""A process that a test restarts, or kills and starts again: later tests use it as if nothing had happened."""

import os
import re

import pytest

from tests.plugin.suite import output, run, run_apart
from tests.plugin.timelines import events_in, of_kind

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ProcessService needs POSIX")

HEAD = """
    import asyncio
    import os
    import signal
    import sys
    from collections.abc import Sequence
    from dataclasses import dataclass

    import pytest
    from looprig import ProcessService, ServiceStartError, TestClient, rig, service_fixture
    from looprig.net.ports import accepts_connections

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Broker(ProcessService):
        breaks = False

        def command(self) -> Sequence[str]:
            if self.breaks:
                return [sys.executable, "-c", "print('no disk')"]
            return [sys.executable, "-u", "-m", "http.server", "--bind", self.host, str(self.port)]

        async def ready(self) -> bool:
            return "Serving" in self.output and await accepts_connections(*self.address)

        @property
        def url(self) -> str:
            return f"http://{self.host}:{self.port}"

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Worker:
        broker: Broker
        async def start(self): ...
        async def stop(self): assert await accepts_connections(*self.broker.address)
"""


@pytest.mark.parametrize(
    "how",
    [
        "await broker.restart()",
        "await broker.kill(); await broker.start()",
        "await broker.stop(); await broker.start()",
    ],
)
def test_later_tests_use_it_again(pytester: pytest.Pytester, how: str) -> None:
    result = run(
        pytester,
        HEAD
        + f"""
    async def test_before(worker: Worker): ...
    async def test_it(broker: Broker):
        {how}
        assert await accepts_connections(*broker.address)
    async def test_uses(broker: Broker): assert await accepts_connections(*broker.address)
    async def test_uses_what_uses_it(worker: Worker): ...
    def test_sync(broker: Broker): assert broker.pid
    """,
    )
    result.assert_outcomes(passed=5)


def test_a_fixture_may_bring_it_back(pytester: pytest.Pytester) -> None:
    """After its test, or, if it is wider, after its last one."""
    result = run(
        pytester,
        HEAD.replace('scope="module"', 'scope="session"')
        + """
    @pytest.fixture
    async def outage(broker: Broker):
        await broker.kill()
        yield
        await broker.start()

    async def test_it(outage, broker: Broker): assert not await accepts_connections(*broker.address)
    async def test_uses(broker: Broker): assert await accepts_connections(*broker.address)

    @pytest.fixture(scope="class")
    async def after(broker: Broker):
        yield
        await broker.kill()
        await broker.start()
        await broker.restart()

    class TestClass:
        async def test_it(self, after): ...

    async def test_uses_it_again(worker: Worker): assert await accepts_connections(*worker.broker.address)
    """,
    )
    result.assert_outcomes(passed=4)


def test_one_that_a_fixture_kills_while_it_is_torn_down_is_gone(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @pytest.fixture
    async def kills(broker: Broker):
        yield
        await broker.kill()

    async def test_it(kills): ...
    async def test_uses(broker: Broker): ...
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "LooprigError: Broker is gone: kills killed it.\n" in output(result)


def test_one_that_could_not_be_started_again_is_gone(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_breaks(broker: Broker):
        broker.breaks = True
        with pytest.raises(ServiceStartError, match="no disk"):
            await broker.restart()
        broker.breaks = False
    async def test_uses(broker: Broker): ...
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    text = output(result)
    assert "LooprigError: Broker is gone: test_breaks could not start it again.\n" in text
    assert 'Start it again in that test with `start()`, give Broker the scope "function", or ' in text


def test_a_test_that_stops_it_is_named(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_stops(broker: Broker): await broker.stop()
    async def test_uses(broker: Broker): ...
    """,
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "LooprigError: Broker is gone: test_stops stopped it.\n" in output(result)


def test_a_time_limit_in_the_middle_of_a_restart(pytester: pytest.Pytester) -> None:
    """The test fails because of the limit, later tests because it could not start the process again."""
    result = run(
        pytester,
        HEAD
        + """
    @pytest.mark.loop_timeout(1)
    async def test_hangs(broker: Broker):
        Broker.ready = never
        await broker.restart()

    async def never(self): return False

    async def test_uses(broker: Broker): ...
    """,
    )
    result.assert_outcomes(failed=1, errors=1)
    assert "LooprigError: Broker is gone: test_hangs could not start it again.\n" in output(result)


def test_a_crash_after_a_restart_is_one(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_restarts(broker: Broker): await broker.restart()
    async def test_crashes(broker: Broker):
        os.kill(broker.pid, signal.SIGKILL)
        await asyncio.sleep(3600)
    async def test_later(broker: Broker): ...
    """,
    )
    result.assert_outcomes(passed=1, failed=1, errors=1)
    assert "Broker ended with signal SIGKILL while it was in use." in output(result)


def test_the_report_shows_what_it_printed_during_the_test_before_and_after(pytester: pytest.Pytester) -> None:
    """In one section, and nothing of earlier tests."""
    result = run(
        pytester,
        HEAD
        + """
    async def test_before(api: TestClient[Broker]): await api.get("/of-an-earlier-test")
    async def test_fails(api: TestClient[Broker]):
        await api.get("/before")
        await api.service.restart()
        await api.get("/after")
        assert "GET /before" in api.service.output_of_test
        assert "earlier" not in api.service.output_of_test
        assert "earlier" in api.service.output
        assert 0
    """,
    )
    result.assert_outcomes(passed=1, failed=1)
    text = output(result)
    assert text.count("- Output of Broker during this test") == 1
    assert re.search(r"GET /before (?s:.*)Serving HTTP(?s:.*)GET /after ", text)
    assert '"GET /of-an-earlier-test' not in text


def test_the_report_shows_what_one_printed_that_stays_down(pytester: pytest.Pytester) -> None:
    """And has been torn down before the report is made."""
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    @dataclass(kw_only=True)
    class Own(Broker): ...

    async def test_fails(own: Own):
        await own.kill()
        assert 0
    """,
    )
    result.assert_outcomes(failed=1)
    assert re.search(r"- Output of Own during this test(?s:.*)Serving HTTP", output(result))


def test_a_client_connects_again(pytester: pytest.Pytester) -> None:
    """Although the process that its connection led to is gone."""
    result = run(
        pytester,
        HEAD.replace('"http.server"', '"http.server", "--protocol", "HTTP/1.1"')
        + """
    async def test_it(api: TestClient[Broker]):
        for _ in range(3):
            await api.get("/", status=200)
            await api.service.restart()
            await api.get("/", status=200)
            await api.service.kill()
            with pytest.raises(Exception, match="Cannot connect"):
                await api.get("/")
            await api.service.start()
            await api.post("/", status=501)
    """,
    )
    result.assert_outcomes(passed=1)


def test_a_restart_leaks_nothing(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
    async def test_it(broker: Broker):
        await broker.restart()
        await broker.kill()
        await broker.start()
    """,
        "--loop-watchdogs=leaks=error",
        "--loop-watchdogs=descriptors=error",
    )
    result.assert_outcomes(passed=1)


def test_the_timeline_shows_each_process(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        HEAD
        + """
    async def test_restarts(broker: Broker): await broker.restart()
    async def test_kills(broker: Broker): await broker.kill()
    """,
        "--loop-trace=trace.json",
    )
    result.assert_outcomes(passed=2)
    events = events_in(pytester.path / "trace.json")
    pids = [event["args"]["pid"] for event in of_kind(events, "process", "b")]
    assert len(set(pids)) == 2
    assert len(of_kind(events, "process", "e")) == 2
