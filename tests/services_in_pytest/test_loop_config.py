"""`loop_config` declares the loops of its folder or module."""

import pytest

from tests.plugin.suite import OPTIONS, output, run
from tests.services_in_pytest.folders import put

LOOPS = """
    import asyncio
    import threading
    from concurrent.futures import ThreadPoolExecutor

    class One(asyncio.SelectorEventLoop): ...
    class Two(asyncio.SelectorEventLoop): ...

    def kind():
        return type(asyncio.get_running_loop()).__name__
"""


def test_a_module_says_how_wide_its_loops_are_at_least(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        LOOPS
        + """
    import pytest
    from looprig import loop_config, service_fixture
    loops = loop_config(scope="class")
    seen = []
    class TestOne:
        async def test_1(self): seen.append(asyncio.get_running_loop())
        async def test_2(self): seen.append(asyncio.get_running_loop())
    class TestTwo:
        async def test_3(self): seen.append(asyncio.get_running_loop())
    async def test_4(): seen.append(asyncio.get_running_loop())
    async def test_5(): seen.append(asyncio.get_running_loop())
    def test_result():
        one, again, two, own, other = seen
        assert one is again and len({two, one, own, other}) == 4
    """,
    )
    result.assert_outcomes(passed=6)


def test_it_needs_no_name(pytester: pytest.Pytester) -> None:
    """It works without being assigned; if imported, it applies only where it was created."""
    head = LOOPS.replace("    import asyncio", "    from looprig import loop_config\n    import asyncio", 1)
    made = head + "    loop_config(factory=One)\n    async def test_it(): assert kind() == 'One'\n"
    put(pytester, {
        "named.py": head + "    loops = loop_config(factory=Two)\n",
        "test_one.py": made,
        "test_two.py": head + "    from named import loops\n    async def test_it(): assert kind() not in {'One', 'Two'}\n",
    })  # fmt: skip
    pytester.runpytest_inprocess(*OPTIONS, "-o", "pythonpath=.").assert_outcomes(passed=2)


def test_a_wider_fixture_gets_a_wider_loop_all_the_same(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        LOOPS
        + """
    from looprig import loop_config, service_fixture
    loops = loop_config(scope="class")

    @service_fixture(scope="module")
    class Wide:
        async def run(self):
            self.loop = asyncio.get_running_loop()
            yield

    class TestOne:
        async def test_1(self, wide): assert asyncio.get_running_loop() is wide.loop
    class TestTwo:
        async def test_2(self, wide): assert asyncio.get_running_loop() is wide.loop
    """,
    )
    result.assert_outcomes(passed=2)


def test_the_nearest_declaration_holds_for_each_value_by_itself(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "kinds.py": LOOPS,
            "conftest.py": """
                from kinds import One
                from looprig import loop_config
                loops = loop_config(factory=One, debug=True)
            """,
            "test_root.py": """
                import asyncio
                from kinds import kind
                async def test_it(): assert (kind(), asyncio.get_running_loop().get_debug()) == ("One", True)
            """,
            "a/conftest.py": """
                from kinds import Two, ThreadPoolExecutor
                from looprig import loop_config
                loops = loop_config(factory=Two, executor=lambda: ThreadPoolExecutor(1, thread_name_prefix="mine"))
            """,
            "a/test_a.py": """
                import asyncio
                import threading
                from kinds import kind
                async def test_it():
                    assert (kind(), asyncio.get_running_loop().get_debug()) == ("Two", True)
                    assert (await asyncio.to_thread(threading.current_thread)).name.startswith("mine")
            """,
            "a/test_module.py": """
                import asyncio
                from kinds import One, kind
                from looprig import loop_config
                anything = loop_config(debug=False, factory=One)
                async def test_it(): assert (kind(), asyncio.get_running_loop().get_debug()) == ("One", False)
            """,
        },
    )
    run(pytester, {}).assert_outcomes(passed=3)


def test_named_factories_run_each_test_once_with_each(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        LOOPS
        + """
    import pytest
    from looprig import loop_config, service_fixture
    loops = loop_config(factories={"first": One, "second": Two})
    starts = []

    @service_fixture(scope="module")
    class Rest:
        async def start(self):
            starts.append(kind())
        async def stop(self): ...

    async def test_own(): assert kind() in {"One", "Two"}
    async def test_shared(rest): assert starts[-1] == kind()
    @pytest.mark.parametrize("number", [1])
    async def test_more(rest, number): assert starts[-1] == kind()
    def test_sync(): ...
    def test_after(): assert starts == ["One", "Two"]
    """,
        "-v",
    )
    result.assert_outcomes(passed=8)
    result.stdout.fnmatch_lines_random(
        [
            "*::test_own[[]first[]] PASSED*",
            "*::test_own[[]second[]] PASSED*",
            "*::test_shared[[]first[]] PASSED*",
            "*::test_more[[]*1*[]] PASSED*",
            "*::test_sync PASSED*",
        ]
    )


def test_a_time_limit(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
    import asyncio
    from looprig import loop_config, timeout
    loops = loop_config(timeout=0.05)
    async def test_hangs(): await asyncio.Event().wait()
    @timeout(10)
    async def test_nearer():
        await asyncio.sleep(0.1)
    """,
    )
    result.assert_outcomes(passed=1, failed=1)
    assert "The call of test_hangs took longer than 0.05 s" in output(result)


def test_contradictions_on_one_loop_are_told(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "kinds.py": LOOPS,
            "conftest.py": """
                from looprig import service_fixture
                @service_fixture(scope="session")
                class Db:
                    async def start(self): ...
                    async def stop(self): ...
            """,
            "test_a.py": """
                from kinds import One
                from looprig import loop_config
                loops = loop_config(factory=One)
                async def test_a(db): ...
            """,
            "test_b.py": """
                from kinds import Two
                from looprig import loop_config
                loops = loop_config(factory=Two)
                async def test_b(db): ...
            """,
        },
    )
    result = run(pytester, {})
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    text = output(result)
    assert "has conflicting loop factory declarations" in text
    assert "test_a.py:4: loop_config" in text
    assert "test_b.py:4: loop_config" in text
    assert "conftest.py:3: Db" in text


def test_one_that_is_imported_holds_where_it_was_written(pytester: pytest.Pytester) -> None:
    put(
        pytester,
        {
            "kinds.py": LOOPS,
            "a/conftest.py": """
                from kinds import One
                from looprig import loop_config
                loops = loop_config(factory=One)
            """,
            "a/test_a.py": "from kinds import kind\nasync def test_it(): assert kind() == 'One'",
            "b/test_b.py": """
                import sys
                from kinds import kind
                from a.conftest import loops
                async def test_it(): assert kind() != "One"
            """,
        },
    )
    run(pytester, {}, "--import-mode=importlib", "-o", "pythonpath=.").assert_outcomes(passed=2)
