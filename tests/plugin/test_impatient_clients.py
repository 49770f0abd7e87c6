"""Sync clients that give up before the test's time limit: the report says which service could not answer, and why."""

import pytest

from tests.plugin.suite import output
from tests.plugin.suite import run_apart as run

HEAD = """
    import asyncio
    import subprocess
    import urllib.request
    from dataclasses import dataclass

    import pytest
    from aiohttp import web
    from looprig import AiohttpService, service_fixture

    @service_fixture(scope="module")
    @dataclass(kw_only=True)
    class Rest(AiohttpService):
        async def create_app(self) -> web.Application:
            self.loop = asyncio.get_running_loop()
            return web.Application()

    def ask(rest):
        with urllib.request.urlopen(rest.url, timeout=0.1): ...
"""
HINT = "Rest (test_it.py:11) runs on the loop of this test, which stands still while sync code runs"


@pytest.mark.parametrize(
    "test",
    [
        "def test_it(rest: Rest): ask(rest)",
        "async def test_it(rest: Rest): ask(rest)",
        "def test_it(rest: Rest): subprocess.run(['sleep', '60'], timeout=0.1)",
        "def test_it(rest: Rest): asyncio.run_coroutine_threadsafe(rest.idle(), rest.loop).result(timeout=0.1)",
        """
    @pytest.fixture
    def answer(rest: Rest): ask(rest)

    async def test_it(answer): ...
    """,
        """
    def test_it(rest: Rest):
        try:
            ask(rest)
        except OSError as error:
            raise ValueError("no answer") from error
    """,
    ],
    ids=["sync test", "async test", "other process", "future", "fixture", "cause"],
)
def test_the_error_of_a_client_explains_why_no_answer_came(pytester: pytest.Pytester, test: str) -> None:
    shown = output(run(pytester, f"{HEAD}\n    {test}", "-Wignore"))
    assert shown.count(HINT) == 1, shown
    assert "For sync tests, declare Rest with @service_fixture(in_thread=True)." in shown


def test_other_errors_are_left_alone(pytester: pytest.Pytester) -> None:
    suite = (
        HEAD
        + """
    def test_fails(rest: Rest): assert 1 == 2

    async def test_waits_on_the_loop(rest: Rest):
        async with asyncio.timeout(0.1):
            await asyncio.Event().wait()

    async def test_in_another_thread(rest: Rest):
        import socket
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen()
            def connect():
                with urllib.request.urlopen(f"http://127.0.0.1:{listening.getsockname()[1]}", timeout=0.1): ...
            await asyncio.to_thread(connect)

    def test_without_a_service():
        raise TimeoutError

    @service_fixture(in_thread=True)
    class Threaded(Rest): ...

    def test_in_the_thread(threaded: Threaded):
        raise TimeoutError
    """
    )
    result = run(pytester, suite)
    result.assert_outcomes(failed=5)
    assert "stands still" not in output(result)
