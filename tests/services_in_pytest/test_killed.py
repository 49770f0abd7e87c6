"""A process that a test kills: later tests that use the same one fail at their set-up, and say why."""

import os

import pytest

from tests.plugin.suite import output, run

pytestmark = pytest.mark.skipif(os.name != "posix", reason="ProcessService needs POSIX")

HEAD = """
    import sys
    from collections.abc import Sequence
    from dataclasses import dataclass

    import pytest
    from looprig import ProcessService, ask, rig, service_fixture

    @dataclass(kw_only=True)
    class Waits(ProcessService):
        def command(self) -> Sequence[str]:
            return [sys.executable, "-c", "import time; time.sleep(3600)"]

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Broker(Waits): ...

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Worker:
        broker: Broker
        async def start(self): ...
        async def stop(self): print("the worker stops")
"""


def test_later_tests_that_use_it_fail_at_their_set_up(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    async def test_before(worker: Worker): ...
    async def test_kills(broker: Broker):
        await broker.kill()
        assert await ask(Broker) is broker
    async def test_uses(broker: Broker): ...
    async def test_uses_what_uses_it(worker: Worker): ...
    def test_sync(broker: Broker): ...
    async def test_does_not_use_it(): ...
    """,
        "-s",
    )
    result.assert_outcomes(passed=3, errors=3)
    text = output(result)
    assert text.count("LooprigError: Broker is gone: test_kills killed it.\n") == 3
    assert text.count("test_it.py:14: Broker\n") == 3
    assert text.count("test_it.py:26: test_kills\n") == 3
    assert "the worker stops" in text
    assert "_pytest/" not in text


def test_one_of_the_tests_own_is_nobody_elses(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    @service_fixture
    @dataclass(kw_only=True)
    class Own(Waits): ...

    async def test_kills(own: Own): await own.kill()
    async def test_has_another(own: Own): assert own.pid
    async def test_kills_one_of_a_rig(broker: Broker):
        async with rig(Broker) as other:
            await other.kill()
    async def test_uses(broker: Broker): assert broker.pid
    """,
    )
    result.assert_outcomes(passed=4)


def test_one_that_nobody_uses_any_more_is_no_error(pytester: pytest.Pytester) -> None:
    result = run(pytester, HEAD + "\n    async def test_kills(broker: Broker): await broker.kill()")
    result.assert_outcomes(passed=1)


def test_one_that_ends_by_itself_under_no_test_is_reported_by_the_next(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    import os, signal, asyncio
    async def test_before(broker: Broker): ...
    def test_kills(broker: Broker): os.kill(broker.pid, signal.SIGKILL)
    async def test_uses(broker: Broker): await asyncio.sleep(3600)
    async def test_later(broker: Broker): ...
    """,
    )
    result.assert_outcomes(passed=2, failed=1, errors=1)
    text = output(result)
    assert "FAILED test_it.py::test_uses - looprig.FixtureCrashedError: Fixture Broker" in text
    assert "Broker ended with signal SIGKILL while it was in use." in text
    assert "CancelledError" not in text


def test_one_that_died_says_so_to_what_still_asks_for_its_address(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """
    import asyncio
    import os
    import signal

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Client:
        broker: Broker
        async def start(self): ...
        async def stop(self): self.broker.address

    async def test_dies(client: Client):
        os.kill(client.broker.pid, signal.SIGKILL)
        await asyncio.sleep(3600)
    async def test_innocent(): ...
    """,
    )
    result.assert_outcomes(passed=1, failed=1, errors=1)
    text = output(result)
    told = (
        "looprig.LooprigError: Broker has no address any more: it crashed (Broker ended with signal SIGKILL while it was "
        "in use) during test_dies.\n"
    )
    assert told in text
    assert "It was raised while the service Client stopped.\n" in text


def test_an_application_that_died_says_so_too(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    import asyncio
    from dataclasses import dataclass
    from looprig import TcpService, service_fixture

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Echo(TcpService):
        async def handle(self, reader, writer): ...
        async def run(self):
            self.broken = asyncio.Event()
            async with asyncio.TaskGroup() as group:
                group.create_task(self.fail())
                async for _ in super().run():
                    yield
        async def fail(self):
            await self.broken.wait()
            raise ValueError("no more")

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Client:
        echo: Echo
        async def start(self): ...
        async def stop(self): self.echo.port

    async def test_it(client: Client):
        client.echo.broken.set()
        await asyncio.sleep(3600)
    """,
    )
    result.assert_outcomes(failed=1, errors=1)
    told = "looprig.LooprigError: Echo has no address any more: it crashed (ValueError: no more) during test_it.\n"
    assert told in output(result)
