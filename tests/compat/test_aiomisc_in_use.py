"""The features of aiomisc's pytest documentation in real use.

Its examples run in `test_aiomisc_examples.py`. The tests here go a step further: a marker on an overridden loop,
services of both kinds, a pool that is really used.
"""

from typing import Final

import pytest

from tests.plugin.suite import POLICIES_ARE_DEPRECATED, output, run_apart

pytest.importorskip("aiomisc", reason="needs aiomisc")

LOOPS: Final = {
    "looprig's loop": "",
    "a module's loop": """
@pytest.fixture(scope="module")
def loop():
    with aiomisc.entrypoint(log_config=False) as loop:
        yield loop
""",
}

MARKERS: Final = """
import asyncio
from asyncio import get_event_loop

import aiomisc
import pytest
"""


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_get_event_loop_is_forbidden_by_whatever_name(pytester: pytest.Pytester, loop: str) -> None:
    result = run_apart(
        pytester,
        MARKERS
        + loop
        + """
@pytest.mark.forbid_get_event_loop
async def test_guarded():
    with pytest.raises(BaseException):
        asyncio.get_event_loop()

@pytest.mark.forbid_get_event_loop
async def test_unguarded():
    asyncio.get_event_loop()

@pytest.mark.forbid_get_event_loop
async def test_imported_by_its_name():
    get_event_loop()

@pytest.mark.forbid_get_event_loop
async def test_empty():
    pass

@pytest.mark.forbid_get_event_loop
async def test_running_loop_is_allowed(loop):
    assert asyncio.get_running_loop() is loop

async def test_allowed_again(loop):
    assert asyncio.get_event_loop() is get_event_loop() is loop
""",
    )
    result.assert_outcomes(passed=4, failed=2)
    result.stdout.fnmatch_lines(["FAILED *::test_unguarded*", "FAILED *::test_imported_by_its_name*"])


@pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)
def test_an_exception_that_reaches_the_loop_fails_its_test_alone(pytester: pytest.Pytester, loop: str) -> None:
    result = run_apart(
        pytester,
        MARKERS
        + loop
        + """
@pytest.mark.catch_loop_exceptions
async def test_before():
    pass

@pytest.mark.catch_loop_exceptions
async def test_with_errors(loop):
    async def fail():
        await asyncio.sleep(0)
        raise LookupError("nobody awaits this")

    loop.create_task(fail())
    await asyncio.sleep(0.01)

@pytest.mark.catch_loop_exceptions
async def test_after():
    await asyncio.sleep(0)
""",
    )
    result.assert_outcomes(passed=2, failed=1)
    text = output(result)
    assert "FAILED test_it.py::test_with_errors" in text
    assert "LookupError: nobody awaits this" in text


def test_a_loop_of_the_module_is_that_of_its_wide_fixtures_in_its_words_and_ours(pytester: pytest.Pytester) -> None:
    body = """
@pytest.fixture(scope="module")
async def sample():
    task = asyncio.create_task(asyncio.sleep(3600))
    yield asyncio.get_running_loop()
    assert not task.done()

async def test_one(sample):
    assert asyncio.get_running_loop() is sample

def test_sync(sample):
    assert not sample.is_closed()

async def test_two(sample, event_loop):
    assert asyncio.get_running_loop() is sample is event_loop
"""
    result = run_apart(
        pytester, {"test_theirs.py": MARKERS + LOOPS["a module's loop"] + body, "test_ours.py": MARKERS + body}
    )
    result.assert_outcomes(passed=6)


def test_services_of_both_kinds_have_the_context_when_they_start(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        """
        import aiomisc
        import looprig
        import pytest

        events = []

        class Theirs(aiomisc.Service):
            async def start(self):
                assert await self.context["foo"] == "bar"
                events.append("theirs up")

            async def stop(self, exception=None):
                events.append("theirs down")

        class Ours:
            async def start(self):
                assert looprig.current_context().get("foo") == "bar"
                events.append("ours up")

            async def stop(self):
                events.append("ours down")

        @pytest.fixture
        def default_context():
            return {"foo": "bar"}

        @pytest.fixture
        def services():
            return [Ours(), Theirs()]

        async def test_async():
            assert sorted(events) == ["ours up", "theirs up"]
            assert await aiomisc.get_context()["foo"] == "bar"
            assert looprig.current_context().get("foo") == "bar"

        def test_sync():
            assert sorted(events[:4]) == ["ours down", "ours up", "theirs down", "theirs up"]
            assert sorted(events[4:]) == ["ours up", "theirs up"]
            assert looprig.current_context().get("foo") == "bar"
        """,
    )
    result.assert_outcomes(passed=2)


def test_the_executor_of_the_loop_is_of_the_class_that_is_named(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        """
        import concurrent.futures
        import threading

        import pytest
        from aiomisc.thread_pool import ThreadPoolExecutor

        used = []

        class Theirs(ThreadPoolExecutor):
            def submit(self, *args, **kwargs):
                used.append("aiomisc")
                return super().submit(*args, **kwargs)

        class Default(concurrent.futures.ThreadPoolExecutor):
            def submit(self, *args, **kwargs):
                used.append("default")
                return super().submit(*args, **kwargs)

        @pytest.fixture(params=[Theirs, Default], ids=["aiomisc", "default"])
        def thread_pool_executor(request):
            return request.param

        async def test_uses_it(loop, request):
            used.clear()
            assert await loop.run_in_executor(None, threading.current_thread) is not threading.main_thread()
            assert used == [request.node.callspec.id]
        """,
        "-v",
    )
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["*::test_uses_it?aiomisc?*", "*::test_uses_it?default?*"])


def test_the_ids_of_policies_stand_in_the_names_of_tests(pytester: pytest.Pytester) -> None:
    pytest.importorskip("uvloop", reason="needs uvloop")
    result = run_apart(
        pytester,
        """
        import asyncio
        import pytest
        import uvloop

        class ThirdLoop(asyncio.SelectorEventLoop):
            pass

        class ThirdPolicy(asyncio.DefaultEventLoopPolicy):
            _loop_factory = ThirdLoop

        kinds = {"uvloop": uvloop.Loop, "asyncio": asyncio.SelectorEventLoop, "third": ThirdLoop}
        policies = (uvloop.EventLoopPolicy(), asyncio.DefaultEventLoopPolicy(), ThirdPolicy())

        @pytest.fixture(params=policies, ids=tuple(kinds))
        def event_loop_policy(request):
            return request.param

        @pytest.fixture
        async def where():
            return asyncio.get_running_loop()

        async def test_it(where, request):
            loop, name = asyncio.get_running_loop(), request.node.callspec.id
            assert loop is where
            assert isinstance(loop, kinds[name])
            assert isinstance(loop, ThirdLoop) is (name == "third")

        def test_sync():
            pass
        """,
        "-v",
        POLICIES_ARE_DEPRECATED,
    )
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*::test_it?uvloop?*", "*::test_it?asyncio?*", "*::test_it?third?*"])
