"""doctest and unittest run their own tests; Hypothesis runs each example on the loop of its test."""

import pytest

from tests.plugin.suite import HYPOTHESIS, output, run, write


def test_doctests_run_with_async_fixtures_around_them(pytester: pytest.Pytester) -> None:
    files = {
        "conftest.py": """
            import pytest

            life = []

            @pytest.fixture(scope="module", autouse=True)
            async def wide():
                life.append("wide")
                yield

            @pytest.fixture(autouse=True)
            async def narrow():
                life.append("narrow")
                yield
            """,
        "test_it.py": '''
            """
            >>> 1 + 1
            2
            """

            async def test_it():
                pass
            ''',
        "words.txt": """
            >>> 2 + 2
            4
            """,
    }
    result = run(pytester, files, "--doctest-modules", "--doctest-glob=*.txt")
    result.assert_outcomes(passed=3)


def test_unittest_runs_itself(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import unittest
        import pytest

        life = []

        @pytest.fixture(scope="module")
        async def wide():
            life.append("wide")
            yield asyncio.get_running_loop()

        @pytest.mark.usefixtures("wide")
        class TestPlain(unittest.TestCase):
            def setUp(self):
                life.append("setUp")

            def test_it(self):
                self.assertEqual(life, ["wide", "setUp"])

        class TestAsync(unittest.IsolatedAsyncioTestCase):
            async def asyncSetUp(self):
                self.loop = asyncio.get_running_loop()

            async def test_it(self):
                self.assertIs(self.loop, asyncio.get_running_loop())

            async def asyncTearDown(self):
                self.assertIs(self.loop, asyncio.get_running_loop())

        async def test_after(wide):
            assert wide is asyncio.get_running_loop()
        """,
        "--explain-loops",
    )
    result.assert_outcomes(passed=3)
    assert "1 test is run by unittest" in output(result)
    assert "of its own" not in output(result)


def test_unittest_alone_is_not_touched(pytester: pytest.Pytester) -> None:
    files = {
        "conftest.py": """
            def pytest_unconfigure(config):
                assert not config.pluginmanager.has_plugin("looprig.runner")
            """,
        "test_it.py": """
            import unittest

            class TestAsync(unittest.IsolatedAsyncioTestCase):
                async def test_it(self):
                    pass
            """,
    }
    result = run(pytester, files)
    result.assert_outcomes(passed=1)
    assert result.ret == 0


def test_each_hypothesis_example_is_a_fresh_task_on_the_loop_of_the_test(pytester: pytest.Pytester) -> None:
    pytest.importorskip("hypothesis")
    run(
        pytester,
        """
        import asyncio
        import contextvars
        import pytest
        from hypothesis import HealthCheck, given, settings, strategies as st

        var = contextvars.ContextVar("var", default="unset")
        tasks = []
        QUIET = settings(
            max_examples=10, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
        )

        @pytest.fixture(scope="module")
        async def wide():
            yield asyncio.get_running_loop()

        @pytest.fixture
        async def narrow():
            var.set("fixture")
            yield asyncio.get_running_loop()

        @QUIET
        @given(number=st.integers())
        async def test_it(wide, narrow, number):
            assert wide is narrow is asyncio.get_running_loop()
            assert var.get() == "fixture"
            var.set("example")
            assert asyncio.current_task() not in tasks
            tasks.append(asyncio.current_task())
            names = [task.get_name() for task in asyncio.all_tasks()]
            assert "left over" not in names
            asyncio.create_task(asyncio.sleep(3600), name="left over")

        class TestMethods:
            @QUIET
            @given(number=st.integers())
            async def test_method(self, number, wide):
                assert wide is asyncio.get_running_loop()

        @QUIET
        @given(st.integers())
        async def test_own(number):
            tasks.append(asyncio.get_running_loop())

        @QUIET
        @given(number=st.integers())
        def test_sync(wide, number):
            assert not wide.is_closed()

        def test_last():
            assert len(tasks) >= 4
            assert len(set(tasks[-3:])) == 1
        """,
        *HYPOTHESIS,
    ).assert_outcomes(passed=5)


def test_hypothesis_shrinks_what_fails_in_an_async_test(pytester: pytest.Pytester) -> None:
    pytest.importorskip("hypothesis")
    result = run(
        pytester,
        """
        from hypothesis import given, settings, strategies as st

        @settings(database=None, deadline=None)
        @given(number=st.integers(0, 1000))
        async def test_it(number):
            assert number < 17
        """,
        *HYPOTHESIS,
    )
    result.assert_outcomes(failed=1)
    assert "number=17" in output(result)


def test_a_hypothesis_test_keeps_to_its_time_limit(pytester: pytest.Pytester) -> None:
    pytest.importorskip("hypothesis")
    result = run(
        pytester,
        """
        import asyncio
        import pytest
        from hypothesis import given, settings, strategies as st

        @pytest.mark.loop_timeout(0.1)
        @settings(database=None, deadline=None, max_examples=5)
        @given(number=st.integers(0, 1000))
        async def test_it(number):
            await asyncio.sleep(3600)
        """,
        *HYPOTHESIS,
    )
    result.assert_outcomes(failed=1)
    assert "TimeoutExpiredError: The call of test_it took longer than 0.1 s" in output(result)


def test_a_coroutine_function_behind_a_decorator(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        """
        import asyncio
        import functools
        import inspect
        from unittest import mock

        def twice(function):
            @functools.wraps(function)
            async def wrapper(*args, **kwargs):
                await function(*args, **kwargs)
                await function(*args, **kwargs)
            return wrapper

        count = []

        @twice
        async def test_wrapped(tmp_path):
            count.append(tmp_path)

        @mock.patch("os.getcwd", return_value="there")
        async def test_patched(getcwd, tmp_path):
            import os
            assert os.getcwd() == "there"
            assert len(count) == 2

        def test_partial():
            pass

        test_partial = functools.partial(test_wrapped)
        """,
    ).assert_outcomes(passed=3)


def test_a_suite_that_makes_sync_tests_of_its_async_ones_is_left_to_do_so(pytester: pytest.Pytester) -> None:
    """Its hook comes first, and the function that it substitutes for the test is what runs."""
    write(
        pytester,
        {
            "conftest.py": """
            import functools
            import inspect
            import pytest

            ran = []

            @pytest.hookimpl(tryfirst=True)
            def pytest_pyfunc_call(pyfuncitem):
                function = pyfuncitem.obj
                if inspect.iscoroutinefunction(function):
                    @functools.wraps(function)
                    def by_itself(**values):
                        ran.append(function.__name__)
                        coroutine = function(**values)
                        with pytest.raises(StopIteration):
                            coroutine.send(None)
                    pyfuncitem.obj = by_itself
            """,
            "test_it.py": """
            import asyncio

            async def test_it(tmp_path):
                with __import__("pytest").raises(RuntimeError):
                    asyncio.get_running_loop()

            def test_ran(pytestconfig):
                conftest = pytestconfig.pluginmanager.get_plugin(str(pytestconfig.rootpath / "conftest.py"))
                assert conftest.ran == ["test_it"]
            """,
        },
    )
    run(pytester, {}).assert_outcomes(passed=2)


def test_a_fixture_of_a_projects_own_plugin_goes_before_one_of_looprigs(pytester: pytest.Pytester) -> None:
    """No matter how early that plugin was loaded, by a conftest or on the command line."""
    files = {
        "mine.py": "import pytest\n@pytest.fixture\ndef localhost(): return 'mine'\n",
        "test_it.py": "def test_it(localhost): assert localhost == 'mine'\n",
    }
    write(pytester, files | {"conftest.py": "pytest_plugins = ['mine']\n"})
    run(pytester, {}).assert_outcomes(passed=1)
    write(pytester, files | {"conftest.py": ""})
    run(pytester, {}, "-p", "mine", "-o", "pythonpath=.").assert_outcomes(passed=1)


def test_a_suite_may_have_a_runner_of_its_own(pytester: pytest.Pytester) -> None:
    """A conftest's hook runs before looprig's without asking for an order."""
    run(
        pytester,
        {
            "conftest.py": """
                import asyncio
                import inspect

                ran = []

                def pytest_pyfunc_call(pyfuncitem):
                    if inspect.iscoroutinefunction(pyfuncitem.obj) and "own" in pyfuncitem.name:
                        ran.append(pyfuncitem.name)
                        asyncio.run(pyfuncitem.obj())
                        return True
            """,
            "test_it.py": """
                from conftest import ran

                async def test_own(): ...

                async def test_other(): ...

                def test_who_ran():
                    assert ran == ["test_own"]
            """,
        },
        "--import-mode=prepend",
    ).assert_outcomes(passed=3)
