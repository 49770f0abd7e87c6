"""A suite that doesn't use looprig runs as if it weren't installed, whatever the suite's fixtures are called.

Each suite of the table uses names of looprig's fixtures for its own purposes. It runs with and without looprig, and
outcomes, ids, order, warnings and the exit status must be the same.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import dedent
from typing import Final

import pytest

from tests.plugin.suite import write

OPTIONS: Final = ("-ra", "-v", "--disable-plugin-autoload", "-p", "no:cacheprovider", "--strict-markers")
LOOPRIG: Final = ("-p", "looprig.pytest_plugin")

SYNC: Final[dict[str, str | Mapping[str, str]]] = {
    "services is a dict": """
        @pytest.fixture
        def services(): return {"db": 1}
        def test_asks(services): assert services == {"db": 1}
        def test_other(): ...
        """,
    "services are names": """
        @pytest.fixture
        def services(): return ["db", "web"]
        @pytest.mark.parametrize("number", [2, 1])
        def test_asks(services, number): assert services == ["db", "web"]
        """,
    "services that could be started": """
        class Service:
            started = 0
            def start(self): self.started += 1
            def stop(self): self.started -= 1
        @pytest.fixture
        def services(): return [Service(), Service()]
        def test_asks(services): assert [each.started for each in services] == [0, 0]
        def test_other(): ...
        """,
    "services of the session, autouse, that yield nothing": """
        life = []
        @pytest.fixture(scope="session", autouse=True)
        def services():
            life.append("up")
            yield
        def test_one(): assert life == ["up"]
        def test_two(services): assert services is None
        """,
    "services in a conftest": {
        "conftest.py": """
            import pytest
            @pytest.fixture(scope="module")
            def services(): raise LookupError("for who asks")
            """,
        "test_a.py": "def test_one(): ...",
        "test_b.py": "def test_two(services): ...",
    },
    "default_context, entrypoint and entrypoint_kwargs": """
        @pytest.fixture
        def default_context(): raise LookupError("for who asks")
        @pytest.fixture
        def entrypoint(): return "bin/run"
        @pytest.fixture
        def entrypoint_kwargs(entrypoint): return ["--fast", entrypoint]
        def test_one(entrypoint_kwargs): assert entrypoint_kwargs == ["--fast", "bin/run"]
        def test_two(): ...
        """,
    "loop is direct": """
        @pytest.mark.parametrize("loop", [1, 2])
        def test_it(loop): assert loop in (1, 2)
        @pytest.mark.parametrize(("event_loop", "thread_pool_size"), [("for", 1), ("async for", 8)])
        def test_two(event_loop, thread_pool_size): ...
        @pytest.mark.parametrize("loop_factory", [list, dict])
        @pytest.mark.parametrize("thread_pool_executor", [True, False])
        def test_three(loop_factory, thread_pool_executor): ...
        """,
    "loop is parametrized": """
        @pytest.fixture(params=["for", "while"], scope="module")
        def loop(request): return request.param
        @pytest.fixture(params=[1, 2], scope="module")
        def thread_pool_size(request): return request.param
        def test_one(loop, thread_pool_size): ...
        def test_two(): ...
        def test_three(loop): assert loop in ("for", "while")
        """,
    "loop is an object": """
        class Loop: ...
        @pytest.fixture
        def player(): return Loop()
        @pytest.fixture
        def loop(player): return player
        @pytest.fixture
        def game(loop): return [loop]
        def test_one(game): ...
        class TestMore:
            @pytest.fixture
            def loop(self, loop): return (loop,)
            def test_two(self, loop): assert type(loop) is tuple
        """,
    "loop is an event loop": """
        import asyncio
        @pytest.fixture
        def loop():
            made = asyncio.new_event_loop()
            yield made
            made.close()
        @pytest.fixture
        def bot(loop): return loop.create_future()
        def test_one(loop, bot):
            loop.call_soon(bot.set_result, 1)
            assert loop.run_until_complete(bot) == 1
        def test_two(request): assert not request.config.pluginmanager.has_plugin("looprig.runner")
        """,
    "loops of each other's": """
        @pytest.fixture
        def event_loop(): return "event loop"
        @pytest.fixture
        def loop(event_loop): return event_loop
        def test_one(loop): assert loop == "event loop"
        """,
    "what makes loops": """
        @pytest.fixture(scope="class", params=["a", "b"])
        def loop_factory(request): return lambda *args: request.param
        @pytest.fixture
        def event_loop_policy(): return {"policy": "best effort"}
        @pytest.fixture
        def thread_pool_executor(): return object()
        class TestIt:
            def test_one(self, loop_factory, event_loop_policy, thread_pool_executor): ...
            def test_two(self): ...
            def test_three(self, loop_factory): ...
        """,
    "network": """
        @pytest.fixture
        def localhost(): return 5
        @pytest.fixture
        def unused_port(localhost): return localhost
        @pytest.fixture
        def tcp_proxy(unused_port): return unused_port
        @pytest.fixture(scope="session")
        def aiomisc_unused_port_factory(): return "factory"
        def test_one(tcp_proxy, aiomisc_unused_port_factory): assert tcp_proxy == 5
        """,
    "unittest": """
        import unittest
        @pytest.fixture(autouse=True)
        def services(request): request.instance.services = {}
        class TestPlain(unittest.TestCase):
            def test_one(self): self.assertEqual(self.services, {})
        class TestAsync(unittest.IsolatedAsyncioTestCase):
            async def test_two(self): self.assertEqual(self.services, {})
        """,
    "doctests": {
        "conftest.py": """
            import pytest
            @pytest.fixture(autouse=True)
            def services(doctest_namespace): doctest_namespace["loop"] = 3
            """,
        "test_it.py": '''
            """
            >>> loop
            3
            """
            def test_one(): ...
            ''',
    },
    "warnings, skips, failures": """
        import warnings
        @pytest.fixture
        def loop():
            warnings.warn("a loop")
            yield 1
            raise OSError("at the end")
        def test_one(loop): ...
        def test_two(loop): assert loop == 2
        @pytest.mark.skip
        def test_three(loop): ...
        @pytest.mark.xfail(strict=True)
        def test_four(no_such_fixture): ...
        """,
}


RUNNER: Final = """
    import asyncio
    import inspect
    import pytest

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(pyfuncitem):
        if inspect.iscoroutinefunction(pyfuncitem.obj):
            names = inspect.signature(pyfuncitem.obj).parameters
            asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
            return True
    """
"""How a suite runs its async tests itself."""

ASYNC: Final[dict[str, str]] = {
    "services are a dict": """
        @pytest.fixture
        def services(): return {"db": 1}
        async def test_asks(services): assert services == {"db": 1}
        async def test_other(): ...
        """,
    "loop is direct": """
        @pytest.mark.parametrize("loop", [True, False])
        async def test_one(loop): assert type(loop) is bool
        @pytest.mark.parametrize("event_loop", ["current", "visited"], scope="module")
        async def test_two(event_loop): ...
        @pytest.mark.parametrize("thread_pool_size", [1, 8])
        @pytest.mark.parametrize("loop_factory", [str, None])
        async def test_three(thread_pool_size, loop_factory): ...
        """,
    "loop is parametrized": """
        @pytest.fixture(params=["for", "while"])
        def loop(request): return request.param
        async def test_one(loop): assert loop in ("for", "while")
        async def test_two(): ...
        def test_three(loop): ...
        """,
    "loop is an object": """
        class Loop:
            def __init__(self, path): self.path = path
        @pytest.fixture
        def loop(tmp_path):
            loop = Loop(tmp_path)
            yield loop
        @pytest.fixture(scope="module")
        def wide(): return 1
        async def test_one(loop, wide): assert loop.path
        async def test_two(wide): ...
        """,
    "what is called like a setting": """
        @pytest.fixture(params=[1, 2])
        def thread_pool_size(request): return request.param
        @pytest.fixture(params=["x", "y"])
        def event_loop_policy(request): return {"retries": request.param}
        @pytest.fixture(params=[1, 2])
        def thread_pool_executor(request): return None
        @pytest.fixture(params=["x", "y"])
        def loop_factory(request): return f"{request.param}!"
        async def test_one(): ...
        async def test_two(thread_pool_size, event_loop_policy): ...
        """,
}


@dataclass(frozen=True)
class Told:
    """The parts of a run's output that must not depend on looprig."""

    status: int
    lines: tuple[str, ...]


def _told(pytester: pytest.Pytester, *options: str) -> Told:
    result = pytester.runpytest_subprocess(*OPTIONS, "--doctest-modules", *options, timeout=60)
    # Plugins, durations and addresses of objects may differ.
    lines = (re.sub(r" in \d.*s =+$|0x[0-9a-f]+", "", line) for line in result.outlines)
    return Told(int(result.ret), (*(line for line in lines if not line.startswith("plugins: ")), *result.errlines))


def _write(pytester: pytest.Pytester, suites: Mapping[str, str | Mapping[str, str]], *more: str) -> None:
    """Write each suite to its own folder."""
    for number, suite in enumerate(suites.values()):
        whole = (
            {"test_it.py": "".join(["import pytest\n", *map(dedent, (suite, *more))])}
            if isinstance(suite, str)
            else suite
        )
        write(pytester, {f"suite_{number}/{name}": text for name, text in whole.items()})


@pytest.mark.parametrize("options", ["", "-Werror", "--collect-only -q", "--fixtures-per-test", "--setup-plan"])
def test_sync_suites_end_as_without_looprig(pytester: pytest.Pytester, options: str) -> None:
    _write(pytester, SYNC)
    assert _told(pytester, *LOOPRIG, *options.split()) == _told(pytester, *options.split())


def test_async_suites_that_run_their_tests_themselves_end_as_without_looprig(pytester: pytest.Pytester) -> None:
    _write(pytester, ASYNC)
    write(pytester, {"conftest.py": RUNNER})
    assert _told(pytester, *LOOPRIG) == _told(pytester)


def test_async_suites_that_looprig_runs_have_their_fixtures_as_they_are(pytester: pytest.Pytester) -> None:
    """They also have module-scoped async fixtures: settings that affect nothing don't contradict each other."""
    wide = """
        @pytest.fixture(scope="module", autouse=True)
        async def everywhere():
            yield
        """
    _write(pytester, ASYNC, wide)
    outcomes = pytester.runpytest_subprocess(*OPTIONS, *LOOPRIG, "-Werror", timeout=60).parseoutcomes()
    _write(pytester, ASYNC)
    write(pytester, {"conftest.py": RUNNER})
    assert outcomes == pytester.runpytest_subprocess(*OPTIONS, timeout=60).parseoutcomes()


def test_all_that_is_new_among_the_fixtures_is_looprigs_own(pytester: pytest.Pytester) -> None:
    _write(pytester, SYNC)
    without, beside = ("\n".join(_told(pytester, *more, "--fixtures").lines) for more in ((), LOOPRIG))
    kept = re.sub(r"(?s)-+ fixtures defined from looprig.*?(?=\n-+ fixtures defined|\n=+ )", "", beside)
    assert kept.split() == without.split()


@pytest.mark.parametrize("first", ["other", "looprig"])
def test_a_fixture_of_another_installed_plugin_goes_first(pytester: pytest.Pytester, first: str) -> None:
    """Whichever was loaded first; and its loop is only for tests that request it."""
    write(
        pytester,
        {
            "site-packages/other.py": """
                import asyncio
                import pytest

                @pytest.fixture
                def localhost(): return "other"
                @pytest.fixture
                def services(): return "other"
                @pytest.fixture
                def loop():
                    loop = asyncio.new_event_loop()
                    yield loop
                    loop.close()
                """,
            "test_it.py": """
                import asyncio
                import pytest

                @pytest.fixture(scope="module")
                async def wide(): return asyncio.get_running_loop()
                async def test_wide(wide): assert wide is asyncio.get_running_loop()
                async def test_asks(loop): assert loop is asyncio.get_running_loop()
                def test_sync(localhost, services): assert localhost == services == "other"
                """,
        },
    )
    plugins = ("-p", "other", *LOOPRIG) if first == "other" else (*LOOPRIG, "-p", "other")
    result = pytester.runpytest_subprocess(*OPTIONS, *plugins, "-o", "pythonpath=site-packages", "-Werror", timeout=60)
    result.assert_outcomes(passed=3)
