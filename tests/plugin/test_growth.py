"""A long run doesn't grow, neither with tests that have their own loops nor on one shared loop."""

import re

import pytest

from tests.plugin.suite import output, run_apart

SUITE = """
import asyncio
import gc
import tracemalloc
import pytest

COUNT = 600

@pytest.fixture(scope="session")
async def session():
    yield

@pytest.fixture(scope="session")
def loop_factory():
    return asyncio.new_event_loop

@pytest.fixture
async def narrow():
    asyncio.create_task(asyncio.sleep(3600))
    yield

@pytest.fixture
def sync(narrow):
    yield

@pytest.mark.parametrize("number", range(COUNT))
async def test_it(NEEDS):
    leave()
    if number == COUNT // 4:
        tracemalloc.start()
    if number == COUNT // 2:
        gc.collect()
        test_it.first = tracemalloc.get_traced_memory()[0]
    if number == COUNT - 1:
        gc.collect()
        growth = tracemalloc.get_traced_memory()[0] - test_it.first
        print("bytes a test:", growth // (COUNT // 2))

def leave():
    asyncio.create_task(asyncio.sleep(3600))
"""
SYNC = (
    SUITE.replace("asyncio.create_task(asyncio.sleep(3600))", "pass")
    .replace("async ", "")
    .replace("return asyncio.new_event_loop", "pass")
)


def bytes_a_test(pytester: pytest.Pytester, suite: str, needs: str) -> int:
    result = run_apart(pytester, suite.replace("NEEDS", f"{needs}number"), "-q", "-s", "--loop-watchdogs=off")
    assert result.parseoutcomes() == {"passed": 600}
    found = re.search(r"bytes a test: (-?\d+)", output(result))
    assert found is not None
    return int(found[1])


@pytest.mark.parametrize("needs", ["", "session, sync, "], ids=["own loop", "shared loop"])
def test_what_a_test_leaves_in_memory_is_what_pytest_keeps_of_a_sync_one(pytester: pytest.Pytester, needs: str) -> None:
    """Pytest keeps a report of each phase, some 2 KiB a test; looprig may add half a KiB to that.

    A dictionary keeps the size that it once had, which depends on when garbage was collected. A leak is in each run.
    """
    most = bytes_a_test(pytester, SYNC, needs) + 512
    assert any(bytes_a_test(pytester, SUITE, needs) <= most for _ in range(3))
