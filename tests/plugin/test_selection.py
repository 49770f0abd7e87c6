"""A loop depends on what was collected, not on what was selected, nor on the order."""

import random

import pytest

from tests.plugin.suite import output, run, run_apart, write

SUITE = {
    "conftest.py": """
        import asyncio
        import os
        import random
        import pytest

        @pytest.fixture(scope="session")
        async def session():
            yield asyncio.get_running_loop()

        @pytest.fixture(scope="module")
        async def module():
            yield asyncio.get_running_loop()

        def pytest_collection_modifyitems(items):
            if seed := os.environ.get("ORDER"):
                random.Random(int(seed)).shuffle(items)
        """,
    "test_a.py": """
        import asyncio
        import pytest

        async def test_module(module):
            assert module is asyncio.get_running_loop()

        async def test_both(module, session):
            assert module is session is asyncio.get_running_loop()

        @pytest.mark.slow
        async def test_own():
            pass
        """,
    "test_b.py": """
        import asyncio

        async def test_module(module):
            assert module is asyncio.get_running_loop()

        async def test_session(session):
            assert session is asyncio.get_running_loop()
        """,
    "pytest.ini": """
        [pytest]
        markers = slow
        """,
}
LOOPS = (
    "session loop: 3 tests in 2 files and 2 fixtures, because of session (conftest.py:7)",
    "module loop of test_b.py: 1 test and 1 fixture, because of module (conftest.py:11)",
)


def explained(result: pytest.RunResult) -> list[str]:
    """Return the output of `--explain-loops` without the rest."""
    lines = result.outlines
    begin = lines.index(LOOPS[0])
    end = lines.index("1 test has a loop of its own")
    return lines[begin : end + 1]


@pytest.mark.parametrize(
    ("options", "passed"),
    [
        (("-k", "module"), 2),
        (("-k", "not both"), 4),
        (("-m", "slow"), 1),
        (("--deselect", "test_a.py::test_both"), 4),
        (("--collect-only",), 0),
        (("--setup-plan",), 0),
    ],
    ids=str,
)
def test_selection_changes_no_loop(pytester: pytest.Pytester, options: tuple[str, ...], passed: int) -> None:
    result = run(pytester, SUITE, "--explain-loops", *options)
    assert result.ret == 0
    assert result.parseoutcomes().get("passed", 0) == passed
    everything = explained(run(pytester, SUITE, "--explain-loops"))
    assert explained(result) == everything
    assert everything[:-1] == list(LOOPS)


@pytest.mark.parametrize("seed", range(1, 6))
def test_order_changes_no_loop(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
    monkeypatch.setenv("ORDER", str(seed))
    run(pytester, SUITE).assert_outcomes(passed=5)


@pytest.mark.parametrize("nodes", [["test_a.py::test_module"], ["test_b.py", "test_a.py::test_own"]])
def test_single_nodes_run(pytester: pytest.Pytester, nodes: list[str]) -> None:
    result = run(pytester, SUITE, *nodes)
    assert result.ret == 0
    result.assert_outcomes(passed=1 if len(nodes) == 1 else 3)


def test_the_plan_changes_neither_order_nor_names(pytester: pytest.Pytester) -> None:
    """Pytest collects the same with and without looprig."""
    write(
        pytester,
        {
            "test_it.py": """
                import pytest

                @pytest.fixture(scope="module", params=[1, 2])
                async def one(request):
                    yield

                @pytest.fixture(scope="module", params=["a", "b"])
                def two(request, one):
                    yield

                async def test_1(two): pass
                async def test_2(one): pass
                def test_3(two): pass
                async def test_4(): pass
                """,
        },
    )
    options = ("--collect-only", "-q", "--disable-plugin-autoload", "-p", "no:cacheprovider")
    without = pytester.runpytest_inprocess(*options)
    with_it = pytester.runpytest_inprocess(*options, "-p", "looprig.pytest_plugin")
    names = [line for line in without.outlines if "::" in line]
    assert len(names) == 11
    assert [line for line in with_it.outlines if "::" in line] == names


@pytest.mark.parametrize("distribution", ["load", "loadscope", "loadfile", "worksteal"])
def test_xdist_workers_make_the_same_plan(pytester: pytest.Pytester, distribution: str) -> None:
    pytest.importorskip("xdist")
    result = run_apart(pytester, SUITE, "-p", "xdist", "-n2", f"--dist={distribution}")
    result.assert_outcomes(passed=5)


def test_xdist_carries_looprigs_errors(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = run_apart(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture
        async def limited():
            async with asyncio.timeout(0.05):
                yield

        async def test_it(limited):
            await asyncio.sleep(3600)
        """,
        *("-p", "xdist", "-n1"),
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*FixtureCrashedError: Fixture limited crashed*"])


def test_xdist_tells_a_plan_that_cannot_be(pytester: pytest.Pytester) -> None:
    pytest.importorskip("xdist")
    result = run_apart(
        pytester,
        """
        import asyncio
        import pytest

        @pytest.fixture
        def loop():
            yield asyncio.new_event_loop()

        @pytest.fixture(scope="module")
        async def rest():
            yield

        async def test_it(rest):
            pass
        """,
        *("-p", "xdist", "-n1"),
    )
    assert result.ret != 0
    assert "passed" not in result.parseoutcomes()
    assert 'loop has scope "function", but rest shares its loop' in output(result)


def test_a_test_that_is_rerun_starts_anew(pytester: pytest.Pytester) -> None:
    """As with plugins that rerun failed tests: the same item, after its teardown."""
    files = {
        "conftest.py": """
            from _pytest.runner import runtestprotocol

            def pytest_runtest_protocol(item, nextitem):
                for _ in range(2):
                    item._initrequest()
                    runtestprotocol(item, nextitem=nextitem, log=False)
                item._initrequest()
                item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
                runtestprotocol(item, nextitem=nextitem)
                return True
            """,
        "test_it.py": """
            import asyncio
            import pytest

            loops = []

            @pytest.fixture(scope="module")
            async def wide():
                yield asyncio.get_running_loop()

            @pytest.fixture
            async def narrow():
                yield asyncio.get_running_loop()

            async def test_shared(wide, narrow):
                assert wide is narrow is asyncio.get_running_loop()

            async def test_own(narrow):
                loops.append(narrow)
                assert narrow is asyncio.get_running_loop()
                assert all(loop.is_closed() for loop in loops[:-1])
                asyncio.create_task(asyncio.sleep(3600))
                assert len(asyncio.all_tasks()) == 2
            """,
    }
    run(pytester, files).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    "option", ["--setup-show", "--setup-only", "--setup-plan", "--fixtures", "--fixtures-per-test"]
)
def test_options_that_show_fixtures_work(pytester: pytest.Pytester, option: str) -> None:
    result = run(pytester, SUITE, option)
    assert result.ret == 0
    assert "module" in output(result)
    assert "rror" not in output(result)


@pytest.mark.parametrize("seed", range(3))
def test_deselecting_at_random_harms_nothing(pytester: pytest.Pytester, seed: int) -> None:
    names = ["test_a.py::test_module", "test_a.py::test_both", "test_b.py::test_module", "test_b.py::test_session"]
    gone = random.Random(seed).sample(names, 2)
    result = run(pytester, SUITE, *(word for name in gone for word in ("--deselect", name)))
    result.assert_outcomes(passed=3, deselected=2)
