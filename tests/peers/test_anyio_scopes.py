"""anyio's cancel scopes and task groups work around a fixture's `yield`, like asyncio's."""

import pytest

from tests.plugin.suite import run

HEAD = """
import asyncio
import anyio
import pytest
"""


def test_a_suite_may_end_a_fixture_early(pytester: pytest.Pytester) -> None:
    """Anyio's users cancel the scope that a fixture gave them; trio's documentation has such tests."""
    result = run(
        pytester,
        HEAD
        + """
ended = []

@pytest.fixture
async def group():
    async with anyio.create_task_group() as group:
        try:
            yield group
        finally:
            ended.append("group")

@pytest.fixture
async def scope():
    with anyio.CancelScope() as scope:
        yield scope

async def test_group(group):
    group.start_soon(anyio.sleep, 3600)
    await anyio.sleep(0)
    group.cancel_scope.cancel()
    await anyio.sleep(0)

async def test_scope(scope):
    assert ended == ["group"]
    scope.cancel()
    await asyncio.sleep(0.01)
""",
    )
    result.assert_outcomes(passed=2)


def test_anyio_scopes_and_groups_around_the_yield_fail_as_asyncios_do(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        HEAD
        + """

@pytest.fixture
async def limited():
    with anyio.fail_after(0.05):
        yield

@pytest.fixture
async def group():
    async with anyio.create_task_group() as group:
        yield group

async def crash():
    raise LookupError("the root cause")

async def test_limited(limited):
    await anyio.sleep(3600)

async def test_group(group):
    group.start_soon(crash)
    await anyio.sleep(3600)

async def test_whole(group):
    with anyio.move_on_after(30):
        await anyio.sleep(0)
""",
    )
    result.assert_outcomes(failed=2, passed=1)
    result.stdout.fnmatch_lines(["*Fixture limited crashed*TimeoutError*", "*Fixture group crashed*LookupError*"])
