"""Adopted suites under pytest-xdist: every way of distribution, and workers that are started again."""

from collections.abc import Mapping
from typing import Final

import pytest

from tests.peers.test_adoption import OURS, POLICY
from tests.peers.test_owners import beside
from tests.plugin.suite import output, run_apart

pytest.importorskip("xdist", reason="needs pytest-xdist")

MODULE: Final = (
    OURS
    + """
import pytest_asyncio

@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def wide(db):
    yield here()

@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("number", range(3))
async def test_wide(wide, db, number):
    assert is_ours()
    assert wide is db is here()

async def test_marked_late(db):
    assert is_ours()
    assert db is here()

async def test_alone():
    assert is_ours()

def test_sync(db):
    assert not db.is_closed()

@pytest.mark.asyncio
class TestClass:
    async def test_first(self, cursor):
        assert cursor is here()

    async def test_second(self, cursor, db):
        assert cursor is db is here()
"""
)
SUITE: Final[Mapping[str, str]] = {
    "conftest.py": """
        import asyncio
        import inspect
        import pytest
        import pytest_asyncio

        @pytest_asyncio.fixture(scope="session", loop_scope="session")
        async def db():
            yield asyncio.get_running_loop()

        @pytest_asyncio.fixture
        async def cursor(db):
            yield asyncio.get_running_loop()

        def pytest_collection_modifyitems(items):
            for item in items:
                if inspect.iscoroutinefunction(item.obj) and item.get_closest_marker("asyncio") is None:
                    item.add_marker(pytest.mark.asyncio, append=False)
    """,
    "one/test_one.py": MODULE,
    "two/test_two.py": MODULE,
}
TESTS: Final = 16
STRICT: Final = ("-o", "asyncio_mode=strict")


@pytest.mark.parametrize("distribution", ["load", "loadscope", "loadfile", "loadgroup", "worksteal", "each"])
def test_a_suite_passes_however_it_is_distributed(pytester: pytest.Pytester, distribution: str) -> None:
    workers = ("--tx", "2*popen") if distribution == "each" else ("-n", "2")
    options = (*beside("asyncio"), *POLICY, *STRICT, "-p", "xdist", *workers, "--dist", distribution)
    result = run_apart(pytester, SUITE, "--adopt", *options, "--explain-loops", "--adopt-report", "-v")
    result.assert_outcomes(passed=TESTS * 2 if distribution == "each" else TESTS)
    shown = output(result)
    assert shown.count("looprig: the loop plan, the same on each worker") == 1
    assert shown.count("    db (scope session) <- conftest.py:7") == 1
    assert shown.count("pytest-asyncio: looprig ran 14 tests and 4 async fixtures in its place.") == 1


def test_the_plan_is_that_of_a_run_in_one_process(pytester: pytest.Pytester) -> None:
    options = (*beside("asyncio"), *POLICY, *STRICT, "--adopt", "--explain-loops")
    alone = output(run_apart(pytester, SUITE, *options))
    workers = output(run_apart(pytester, SUITE, *options, "-p", "xdist", "-n", "2"))
    plan = alone[alone.index("session loop:") : alone.index("one/test_one.py ")].strip()
    assert plan in workers


CRASH: Final = (
    OURS
    + """
import os
from pathlib import Path

pytestmark = pytest.mark.asyncio

@pytest.mark.parametrize("number", range(12))
async def test_it(db, number):
    assert is_ours()
    assert db is here()
    flag = Path(__file__).with_name("crashed")
    if number == 3 and not flag.exists():
        flag.touch()
        os._exit(7)
"""
)


# xdist runs the test that crashed again if it distributes files. If it steals work, it may steal from a dead worker.
@pytest.mark.parametrize(("distribution", "passed"), [("load", 11), ("loadfile", 12)])
def test_the_tests_of_a_worker_that_crashed_run_on_the_next_one(
    pytester: pytest.Pytester, distribution: str, passed: int
) -> None:
    suite = {**SUITE, "test_crash.py": CRASH}
    options = (*beside("asyncio"), *POLICY, *STRICT, "-p", "xdist", "-n", "2", "--dist", distribution)
    result = run_apart(pytester, suite, "--adopt", *options, "--explain-loops", "--adopt-report")
    result.assert_outcomes(passed=TESTS + passed, failed=1)
    assert output(result).count("crashed while running 'test_crash.py::test_it[3]'")
    assert output(result).count("looprig: the loop plan, the same on each worker") == 1
    assert output(result).count("pytest-asyncio: looprig ran 26 tests and 4 async fixtures in its place.") == 1


LATE: Final = """
import pytest

@pytest.hookimpl({order}=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.name.startswith("test_late"):
            item.add_marker(pytest.mark.{mark})
"""


@pytest.mark.parametrize("order", ["tryfirst", "trylast"])
@pytest.mark.parametrize("mode", ["strict", "auto"])
@pytest.mark.parametrize("workers", [(), ("-p", "xdist", "-n", "2")], ids=["one process", "workers"])
def test_a_mark_of_pytest_asyncio_that_is_added_late_counts(
    pytester: pytest.Pytester, order: str, mode: str, workers: tuple[str, ...]
) -> None:
    suite = {
        "conftest.py": SUITE["conftest.py"].partition("def pytest_coll")[0],
        "late/conftest.py": LATE.format(order=order, mark='asyncio(loop_scope="session")'),
        "late/test_late.py": OURS
        + "async def test_late(db):\n    assert is_ours()\n    assert db is here()\n"
        + "class TestClass:\n    async def test_late(self, cursor):\n        assert cursor is here()\n",
    }
    options = (*beside("asyncio"), *POLICY, "-o", f"asyncio_mode={mode}", *workers)
    run_apart(pytester, suite, "--adopt", *options).assert_outcomes(passed=2)


@pytest.mark.parametrize("order", ["tryfirst", "trylast"])
def test_a_mark_of_anyio_that_is_added_late_changes_no_id(pytester: pytest.Pytester, order: str) -> None:
    suite = {
        "conftest.py": LATE.format(order=order, mark="anyio"),
        "test_it.py": OURS + "async def test_late():\n    await asyncio.sleep(0)\n",
    }
    options = (*beside("anyio"), "-rA")
    own = run_apart(pytester, suite, *options, "-p", "no:looprig")
    adopted = run_apart(pytester, suite, "--adopt", *options)
    assert adopted.parseoutcomes() == own.parseoutcomes()
    passed = [[line for line in each.outlines if line.startswith("PASSED")] for each in (own, adopted)]
    assert passed[0] == passed[1]
