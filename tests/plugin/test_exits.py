"""Exits raised by tests and fixtures: the right test reports them, and every teardown runs."""

import pytest

from tests.plugin.suite import output, run, run_apart

loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])

HEAD = """
import asyncio
import pytest

log = []

@pytest.fixture(scope="module")
async def other():
    yield
    await asyncio.sleep(0)
    log.append("other")
    print(*log)

@pytest.fixture
async def narrow():
    yield
    await asyncio.sleep(0)
    log.append("narrow")

async def leave(ending):
    await asyncio.sleep(0)
    raise ending
"""


@loops
@pytest.mark.parametrize("way", ["group", "gather", "task"])
def test_an_exit_of_a_task_loses_no_teardown(pytester: pytest.Pytester, loop: str, way: str) -> None:
    """The test's own work ends before its fixtures are torn down."""
    bodies = {
        "group": "async with asyncio.TaskGroup() as group:\n            group.create_task(leave(SystemExit(3)))",
        "gather": "await asyncio.gather(leave(SystemExit(3)), asyncio.sleep(3600))",
        "task": "task = asyncio.create_task(leave(SystemExit(3))); await asyncio.sleep(3600)",
    }
    result = run_apart(
        pytester,
        f"""{HEAD}
async def test_leaves(narrow, other):
    try:
        {bodies[way]}
    finally:
        log.append("test")

async def test_next(other):
    assert log == ["test", "narrow"]
""",
        f"--loop-factory={loop}",
        "-s",
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "test narrow other" in output(result)


@loops
def test_a_fixture_whose_task_exits_has_crashed(pytester: pytest.Pytester, loop: str) -> None:
    result = run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def server(other):
    async with asyncio.TaskGroup() as group:
        yield group

async def test_one(server, narrow):
    server.create_task(leave(SystemExit(3)))
    await asyncio.sleep(3600)

async def test_two(server): ...

async def test_three(other): ...
""",
        f"--loop-factory={loop}",
        "-s",
    )
    result.assert_outcomes(failed=1, errors=1, passed=1)
    text = output(result)
    assert "FixtureCrashedError: Fixture server crashed while it was in use: SystemExit: 3" in text
    assert "narrow other" in text


@pytest.mark.parametrize(
    ("body", "uses"),
    [
        ("async with asyncio.TaskGroup() as group: group.create_task(leave(EXIT))", ""),
        ("await asyncio.gather(leave(EXIT))", ""),
        ("shared.create_task(leave(EXIT)); await asyncio.sleep(3600)", "shared"),
        ("pass", "in_set_up"),
        ("pass", "in_teardown"),
        ("await too_late()", ""),
    ],
    ids=["group", "gather", "group of a fixture", "set-up", "teardown", "after its limit"],
)
@pytest.mark.parametrize("ending", ["pytest.exit.Exception('enough', 7)", "KeyboardInterrupt()"])
def test_what_ends_the_run_ends_it_from_wherever_it_is_raised(
    pytester: pytest.Pytester, body: str, uses: str, ending: str
) -> None:
    result = run_apart(
        pytester,
        HEAD
        + f"""
EXIT = {ending}

@pytest.fixture(scope="module")
async def shared():
    async with asyncio.TaskGroup() as group:
        yield group

@pytest.fixture
async def in_set_up():
    async with asyncio.TaskGroup() as group:
        group.create_task(leave(EXIT))
        await asyncio.sleep(3600)
        yield

@pytest.fixture
async def in_teardown():
    yield
    async with asyncio.TaskGroup() as group:
        group.create_task(leave(EXIT))

async def too_late():
    try:
        await asyncio.sleep(3600)
    finally:
        raise EXIT

@pytest.mark.loop_timeout(1)
async def test_it({uses}):
    {body}

async def test_never():
    print("never")
""",
        "-s",
    )
    assert result.ret == (7 if "exit" in ending else 2)
    assert "never\n" not in output(result)


@pytest.mark.parametrize(
    "hook",
    [
        """
        def pytest_pyfunc_call(pyfuncitem):
            if "bad" in pyfuncitem.name:
                pyfuncitem.obj()
                return True
        """,
        """
        def pytest_runtest_call(item):
            if "bad" in item.name:
                item.obj = lambda: None
        """,
    ],
    ids=["called", "replaced"],
)
def test_a_test_that_a_hook_keeps_from_running_is_no_pass(pytester: pytest.Pytester, hook: str) -> None:
    """A hook that calls tests itself, for example to time them, doesn't await them."""
    result = run(
        pytester, {"conftest.py": hook, "test_it.py": "async def test_bad(): assert 0\nasync def test_it(): ..."}
    )
    result.assert_outcomes(failed=1, passed=1)
    assert "test_bad did not run: " in output(result)


def test_code_that_cancels_all_tasks_leaves_fixtures_alone(pytester: pytest.Pytester) -> None:
    """Many programs do that to shut down, but mean their own tasks."""
    run(
        pytester,
        HEAD
        + """
@pytest.fixture(scope="module")
async def server():
    async with asyncio.TaskGroup() as group:
        yield group

async def test_shuts_down(server, other, narrow):
    job = asyncio.create_task(asyncio.sleep(3600))
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
    await asyncio.sleep(0.001)
    assert job.cancelled()

async def test_next(server, other):
    await server.create_task(asyncio.sleep(0))
    assert log == ["narrow"]
""",
    ).assert_outcomes(passed=2)
