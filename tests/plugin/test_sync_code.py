"""Sync code around a loop has the test's loop as the current one, and other plugins notice nothing odd."""

import pytest

from tests.plugin.suite import run, run_apart

HEAD = """
import asyncio
import pytest

@pytest.fixture(scope="module")
async def wide():
    yield asyncio.get_running_loop()
"""


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_sync_fixtures_and_bodies_find_the_loop_of_the_test_as_the_current_one(
    pytester: pytest.Pytester, loop: str
) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
def future():
    made = asyncio.Future()
    yield made
    assert asyncio.get_event_loop() is made.get_loop()

@pytest.fixture(scope="module")
def wide_future(wide):
    return asyncio.Future()

async def test_own(future):
    asyncio.get_running_loop().call_soon(future.set_result, 3)
    assert await future == 3

async def test_shared(wide, future, wide_future):
    assert future.get_loop() is wide_future.get_loop() is wide is asyncio.get_running_loop()

def test_sync(wide, future):
    assert asyncio.get_event_loop() is wide is future.get_loop()

@pytest.mark.parametrize("number", [1, 2])
async def test_parametrized(future, number):
    assert future.get_loop() is asyncio.get_running_loop()
""",
        f"--loop-factory={loop}",
    ).assert_outcomes(passed=5)


def test_the_current_loop_is_what_it_was_before(pytester: pytest.Pytester) -> None:
    """If sync code sets a current loop itself, that loop stays; if none was set, none is."""
    run_apart(
        pytester,
        HEAD
        + """
from asyncio import events

@pytest.fixture
def future():
    return asyncio.Future()

@pytest.fixture
def sets_its_own():
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield loop
    assert asyncio.get_event_loop() is loop
    asyncio.set_event_loop(None)
    loop.close()

async def test_uses_it(future): ...

def test_nothing_was_left():
    policy = getattr(events, "_get_event_loop_policy", None) or asyncio.get_event_loop_policy
    local = policy()._local
    assert local._loop is None
    assert not getattr(local, "_set_called", False)

def test_own_one_stays(sets_its_own):
    assert asyncio.get_event_loop() is sets_its_own

async def test_beside(sets_its_own, future):
    assert future.get_loop() is sets_its_own

def test_runs(wide):
    async def nothing(): ...
    asyncio.run(nothing())

def test_ran(wide):
    assert asyncio.get_event_loop() is wide
""",
    ).assert_outcomes(passed=6)


def test_a_wide_sync_fixture_is_not_given_the_loop_of_one_test(pytester: pytest.Pytester) -> None:
    """That loop ends before the fixture does."""
    run(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture(scope="module")
        def wide():
            try:
                return asyncio.get_event_loop_policy()._local._loop if not hasattr(
                    asyncio.events, "_get_event_loop_policy") else asyncio.events._get_event_loop_policy()._local._loop
            finally:
                pass

        async def test_own(wide):
            assert wide is None
        """,
    ).assert_outcomes(passed=1)


def test_all_finalizers_are_plain_functions_without_parameters(pytester: pytest.Pytester) -> None:
    """allure-pytest, for example, reads the signature of each."""
    run(
        pytester,
        {
            "conftest.py": """
                import inspect
                import pytest

                @pytest.hookimpl(wrapper=True)
                def pytest_fixture_setup(fixturedef, request):
                    result = yield
                    for finalizer in fixturedef._finalizers:
                        for parameter in inspect.signature(finalizer).parameters.values():
                            assert parameter.default is not parameter.empty
                    return result
            """,
            "test_it.py": HEAD
            + """
import contextvars

var = contextvars.ContextVar("var")

@pytest.fixture
def db():
    var.set(1)
    yield 1

@pytest.fixture
async def connection(db, request):
    request.addfinalizer(lambda: None)
    yield

def test_sync(db): ...

async def test_async(db, connection, wide): ...
""",
        },
    ).assert_outcomes(passed=2)


def test_a_long_chain_of_fixtures_does_not_end_the_run(pytester: pytest.Pytester) -> None:
    """Pytest itself can't set up a chain of 500; that is an error of the test that requests it."""
    chain = "".join(f"@pytest.fixture\nasync def f{n}({f'f{n - 1}' if n else ''}): yield {n}\n" for n in range(500))
    result = run(pytester, f"import pytest\n{chain}async def test_it(f499): ...\nasync def test_other(f99): ...\n")
    result.assert_outcomes(errors=1, passed=1)
    result.stdout.fnmatch_lines(["*RecursionError*"])


def test_a_run_inside_of_a_running_loop_is_refused(pytester: pytest.Pytester) -> None:
    """As in a notebook. It works in a thread, and a suite without loops runs anywhere."""
    pytester.makepyfile(test_async="async def test_it(): ...", test_sync="def test_it(): ...")
    script = """
        import asyncio, sys
        import pytest

        async def main():
            options = ["-q", "-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", "looprig.pytest_plugin"]
            print("status", int(pytest.main([*options, "test_async.py"])))
            print("status", int(pytest.main([*options, "test_sync.py"])))
            print("status", int(await asyncio.to_thread(pytest.main, [*options, "test_async.py"])))

        asyncio.run(main())
    """
    result = pytester.runpython(pytester.makepyfile(script=script))
    assert [line for line in result.outlines if line.startswith("status")] == ["status 4", "status 0", "status 0"]
    result.stderr.fnmatch_lines(["ERROR: pytest was started by code that runs on an event loop*"])


def test_runs_in_two_threads_know_nothing_of_each_other(pytester: pytest.Pytester) -> None:
    suite = """
        import asyncio
        import pytest
        from looprig import ask, timeout

        @pytest.fixture(scope="module")
        async def wide():
            yield asyncio.get_running_loop()

        @pytest.fixture
        async def narrow():
            yield 5

        @timeout(60)
        @pytest.mark.parametrize("number", range(50))
        async def test_it(wide, number):
            assert wide is asyncio.get_running_loop()
            await asyncio.sleep(0.001)
            assert await ask("narrow") == 5
    """
    pytester.makepyfile(test_one=suite, test_two=suite)
    # Without pytest's own changes to the whole process.
    script = """
        import threading
        import pytest
        from _pytest import runner

        # The one change to the process that no option turns off: both threads would set and delete PYTEST_CURRENT_TEST.
        runner._update_current_test_var = lambda item, when: None

        options = ["-q", "-s", "--disable-plugin-autoload", "-p", "looprig.pytest_plugin"]
        for name in ("cacheprovider", "faulthandler", "threadexception", "unraisableexception", "logging", "warnings"):
            options += ["-p", f"no:{name}"]

        statuses = []

        def work(name):
            statuses.append(int(pytest.main([*options, name])))

        threads = [threading.Thread(target=work, args=(name,)) for name in ("test_one.py", "test_two.py")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("\\nstatuses", statuses)
    """
    result = pytester.runpython(pytester.makepyfile(script=script))
    assert result.outlines[-1] == "statuses [0, 0]"
