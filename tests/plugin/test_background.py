"""What fails in the background of a test fails the test: no plugin beside it, no marker."""

from typing import Final

import pytest

from tests.plugin.suite import output, run, run_apart

FAILING: Final = """
    import asyncio
    import gc

    async def worker():
        raise ValueError("boom")

    class Noisy:
        def __del__(self):
            raise RuntimeError("in __del__")

    class Knot:
        def __init__(self, *held):
            self.held = (self, *held)

    async def numbers():
        try:
            yield 1
        finally:
            raise LookupError("in a generator")

    async def test_task():
        asyncio.create_task(worker())
        await asyncio.sleep(0.01)

    async def test_task_in_a_cycle():
        Knot(asyncio.create_task(worker()))
        await asyncio.sleep(0.01)

    async def test_old_task_in_a_cycle():
        knot = Knot(asyncio.create_task(worker()))
        await asyncio.sleep(0.01)
        gc.collect()

    async def test_callback():
        def callback():
            raise KeyError("in a callback")

        asyncio.get_running_loop().call_soon(callback)
        await asyncio.sleep(0)

    async def test_future():
        asyncio.get_running_loop().create_future().set_exception(OSError("in a future"))

    async def test_never_awaited():
        worker()

    async def test_finalizer():
        Noisy()

    async def test_generator():
        async for _ in numbers():
            break
"""
FAILURES: Final = {
    "task": "A task failed, and nothing retrieved its exception: ValueError: boom.",
    "task_in_a_cycle": "A task failed, and nothing retrieved its exception: ValueError: boom.",
    "old_task_in_a_cycle": "A task failed, and nothing retrieved its exception: ValueError: boom.",
    "callback": "KeyError: 'in a callback'",
    "future": "A future failed, and nothing retrieved its exception: OSError: in a future.",
    "never_awaited": "The coroutine worker was never awaited.",
    "finalizer": "An exception in Noisy.__del__ was ignored, since nothing can handle it: RuntimeError: in __del__.",
    "generator": "An async generator failed while it was closed: LookupError: in a generator.",
}


@pytest.mark.parametrize("warnings", ["error", "default"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_in_the_background_fails_its_own_test(
    pytester: pytest.Pytester, name: str, loop: str, warnings: str
) -> None:
    innocent = FAILING + "\n    async def test_innocent():\n        await asyncio.sleep(0)\n"
    tests = (f"test_it.py::test_{name}", "test_it.py::test_innocent")
    result = run(pytester, {"test_it.py": innocent}, f"-W{warnings}", f"--loop-factory={loop}", *tests)
    result.assert_outcomes(passed=1, failed=1)
    shown = output(result)
    assert FAILURES[name] in shown
    assert "@looprig.allow_background" in shown
    assert f"FAILED test_it.py::test_{name}" in shown


def test_the_report_names_the_line_that_called_the_coroutine_function(pytester: pytest.Pytester) -> None:
    suite = """
        async def fetch(): ...

        def helper():
            fetch()

        async def test_it():
            helper()
    """
    result = run(pytester, {"test_it.py": suite})
    result.assert_outcomes(failed=1)
    assert "test_it.py:5: fetch was called here\n" in output(result)


def test_what_fails_in_a_wide_fixture_fails_the_running_test_in_the_name_of_the_fixture(
    pytester: pytest.Pytester,
) -> None:
    suite = """
        import asyncio
        import pytest

        @pytest.fixture(scope="module")
        async def consumer():
            async def consume():
                await told.wait()
                raise ConnectionError("lost")

            told = asyncio.Event()
            asyncio.create_task(consume())
            yield told

        async def test_before(consumer): ...

        async def test_it(consumer):
            consumer.set()
            await asyncio.sleep(0.01)

        async def test_after(consumer): ...
    """
    result = run(pytester, {"test_it.py": suite})
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*test_it.py:7: consumer.<locals>.consume", "*test_it.py:5: consumer"])
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_it *"])


def test_what_fails_at_teardown_is_an_error_of_the_teardown(pytester: pytest.Pytester) -> None:
    suite = """
        import asyncio
        import pytest

        @pytest.fixture(scope="module")
        async def careless():
            yield
            asyncio.get_running_loop().create_future().set_exception(ValueError("at teardown"))

        async def test_it(careless): ...
    """
    result = run(pytester, {"test_it.py": suite})
    result.assert_outcomes(passed=1, errors=1)
    assert "A future failed, and nothing retrieved its exception: ValueError: at teardown." in output(result)


def test_a_test_that_fails_anyway_has_it_as_a_note(pytester: pytest.Pytester) -> None:
    suite = """
        async def fetch(): ...

        async def test_it():
            fetch()
            raise LookupError("the failure itself")
    """
    result = run(pytester, {"test_it.py": suite})
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *LookupError: the failure itself", "E *The coroutine fetch was never awaited."])


def test_several_are_a_group(pytester: pytest.Pytester) -> None:
    suite = """
        async def fetch(): ...

        async def test_it():
            fetch()
            fetch()
    """
    result = run(pytester, {"test_it.py": suite})
    result.assert_outcomes(failed=1)
    assert output(result).count("The coroutine fetch was never awaited.") == 2


def test_sync_code_on_a_loop_is_watched(pytester: pytest.Pytester) -> None:
    suite = """
        import pytest

        @pytest.fixture
        async def on_a_loop(): ...

        async def fetch(): ...

        def test_it(on_a_loop):
            fetch()
    """
    result = run(pytester, {"test_it.py": suite})
    result.assert_outcomes(failed=1)
    assert "The coroutine fetch was never awaited." in output(result)


def test_a_test_without_a_loop_is_none_of_our_business(pytester: pytest.Pytester) -> None:
    suite = """
        async def fetch(): ...

        class Noisy:
            def __del__(self):
                raise RuntimeError("in __del__")

        async def test_async(): ...

        def test_sync():
            fetch()
            Noisy()
    """
    result = run(pytester, {"test_it.py": suite}, "-Wdefault")
    result.assert_outcomes(passed=2, warnings=2)
    assert "looprig" not in output(result)


def test_what_the_collector_finds_by_itself_fails_no_test(pytester: pytest.Pytester) -> None:
    suite = """
        import gc

        class Noisy:
            def __init__(self):
                self.itself = self

            def __del__(self):
                raise RuntimeError("in __del__")

        async def test_guilty():
            Noisy()

        async def test_innocent():
            gc.collect()  # as Python does it, when it wants to
    """
    result = run(pytester, {"test_it.py": suite}, "-v")
    result.assert_outcomes(passed=2)
    assert "watchdogs noted 1 finding in 1 test" in output(result)
    assert "RuntimeError: in __del__" in output(result)


def test_a_task_of_an_earlier_test_fails_no_other(pytester: pytest.Pytester) -> None:
    """The error is reported when the last reference to the task is gone."""
    suite = """
        import asyncio
        import pytest

        KEPT = []

        @pytest.fixture(scope="module", autouse=True)
        async def shared():
            yield

        async def test_guilty():
            async def fail():
                raise ValueError("boom")

            KEPT.append(asyncio.create_task(fail()))
            await asyncio.sleep(0.01)

        async def test_innocent():
            KEPT.clear()
    """
    result = run(pytester, {"test_it.py": suite}, "-v")
    result.assert_outcomes(passed=2)
    assert "watchdogs noted 1 finding in 1 test" in output(result)
    assert "test_it.py:11: test_guilty, which has ended" in output(result)


def test_what_is_freed_after_the_teardown_fails_no_other_test(pytester: pytest.Pytester) -> None:
    """When the teardown is over, pytest drops the values of the test's fixtures."""
    suite = """
        import asyncio
        import pytest

        class Session:
            def __init__(self):
                self.loop = asyncio.get_running_loop()

            def __del__(self):
                self.loop.call_exception_handler({"message": "Unclosed session"})

        @pytest.fixture
        async def session():
            return Session()

        async def test_guilty(session): ...

        async def test_innocent(): ...
    """
    result = run(pytester, {"test_it.py": suite}, "-v")
    result.assert_outcomes(passed=2)
    assert "watchdogs noted 1 finding in 1 test" in output(result)
    assert "Unclosed session.\nClose what is named here before its test or fixture ends." in output(result)


def test_nothing_is_watched_when_the_run_is_over(pytester: pytest.Pytester) -> None:
    """What Python frees when the process exits is reported when modules may have lost their names."""
    conftest = """
        RUNNERS = []

        def pytest_collection_finish(session):
            RUNNERS.append(session.config.pluginmanager.get_plugin("looprig.runner"))

        def pytest_configure(config):
            config.add_cleanup(lambda: print("watched:", RUNNERS[0].watchdogs.is_open))

        def pytest_runtest_logreport(report):
            print("watched:", RUNNERS[0].watchdogs.is_open)
    """
    files = {"conftest.py": conftest, "test_it.py": "async def test_it(): ..."}
    result = run_apart(pytester, files, "-s")
    result.assert_outcomes(passed=1)
    assert output(result).count("watched: True") == 3
    assert output(result).count("watched: False") == 1


def test_a_loop_with_a_handler_of_its_own_keeps_it(pytester: pytest.Pytester) -> None:
    suite = """
        import asyncio
        import looprig

        HANDLED = []

        def make_loop():
            loop = asyncio.new_event_loop()
            loop.set_exception_handler(lambda loop, context: HANDLED.append(context["message"]))
            return loop

        loops = looprig.loop_config(factory=make_loop)

        async def test_it():
            asyncio.get_running_loop().call_exception_handler({"message": "told"})
            assert HANDLED == ["told"]
    """
    run(pytester, {"test_it.py": suite}).assert_outcomes(passed=1)


def test_the_hooks_are_given_back(pytester: pytest.Pytester) -> None:
    suite = """
        import sys
        import warnings

        def hooks():
            return sys.unraisablehook, warnings.showwarning, sys.get_coroutine_origin_tracking_depth()

        def pytest_configure(config):
            before = hooks()
            config.add_cleanup(lambda: print("the same hooks:", hooks() == before))

        def pytest_runtest_logreport(report):
            print("other hooks:", sys.unraisablehook is not sys.__unraisablehook__)
    """
    files = {"conftest.py": suite, "test_it.py": "async def test_it(): ..."}
    # pytest gives back its own hook at a time of its own.
    result = run_apart(pytester, files, "-s", "-p", "no:unraisableexception", "-p", "no:warnings")
    result.assert_outcomes(passed=1)
    assert "other hooks: True" in output(result)
    assert "the same hooks: True" in output(result)


def test_what_the_thread_of_alarms_frees_fails_no_test(pytester: pytest.Pytester) -> None:
    """It looks at frames of the main thread, so it may be the last one to refer to what an earlier test has left."""
    result = run_apart(
        pytester,
        """
        import asyncio
        from looprig.runtime.clock import Alarm, now

        class Noisy:
            def __del__(self):
                raise RuntimeError("in __del__")

        async def test_it():
            things = [Noisy()]
            Alarm(now() + 0.01, things.clear)
            await asyncio.sleep(0.1)
            assert not things
        """,
    )
    result.assert_outcomes(passed=1)
    assert "looprig: watchdogs noted 1 finding in 1 test" in output(result)
