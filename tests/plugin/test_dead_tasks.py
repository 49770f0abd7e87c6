"""A task that has failed, and that a fixture still refers to, may be the cause of a test's failure: it is named."""

from typing import Final

import pytest

from tests.plugin.suite import output, run_apart

SUITE: Final = """
    import asyncio

    import looprig
    import pytest

    class Worker:
        def __init__(self):
            self.orders, self.totals = asyncio.Queue(), asyncio.Queue()

        async def run(self):
            while True:
                order = await self.orders.get()
                await self.totals.put(order["price"] * order["amount"])

    @pytest.fixture(scope="{scope}")
    async def worker():
        worker = Worker()
        task = asyncio.create_task(worker.run())
        yield worker
        {end}

    {marker}
    async def test_it(worker):
        await worker.orders.put({{"price": 3}})
        {rest}
"""
WAITS: Final = "assert await worker.totals.get() == 6"
NAMED: Final = "A task failed, and nothing retrieved its exception: KeyError: 'amount'."


def suite(
    scope: str = "module", end: str = "task.cancel()", marker: str = "", rest: str = "await asyncio.sleep(0); assert 0"
) -> str:
    return SUITE.format(scope=scope, end=end, marker=marker, rest=rest)


@pytest.mark.parametrize("scope", ["module", "function"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_failure_names_the_worker_that_has_failed(pytester: pytest.Pytester, scope: str, loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    result = run_apart(pytester, suite(scope, rest="await asyncio.sleep(0.01); assert 0"), f"--loop-factory={loop}")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       assert 0",
            f"E       {NAMED}",
            "E         test_it.py:14: raised in run",
            "E         test_it.py:11: Worker.run",
            "E         test_it.py:16: worker",
            "E       Await the task, or handle the exception in it. *",
        ]
    )


def test_so_does_a_deadlock_and_each_later_one(pytester: pytest.Pytester) -> None:
    later = """
    async def test_later(worker):
        assert await worker.totals.get() == 6
    """
    result = run_apart(pytester, suite(rest=WAITS) + later)
    result.assert_outcomes(failed=2)
    assert output(result).count(NAMED) == 2


@pytest.mark.parametrize(
    ("marker", "rest"),
    [
        ("@looprig.allow_background(KeyError)", "assert 0"),
        ('@looprig.watchdogs(background="off")', "assert 0"),
        ("", "pytest.skip()"),
    ],
)
def test_it_is_not_named_if_it_is_allowed_or_no_test_fails(pytester: pytest.Pytester, marker: str, rest: str) -> None:
    result = run_apart(pytester, suite(marker=marker, rest=f"await asyncio.sleep(0.01); {rest}"))
    assert set(result.parseoutcomes()) <= {"failed", "skipped"}
    assert "KeyError: 'amount'" not in output(result)


def test_what_was_retrieved_is_not_named(pytester: pytest.Pytester) -> None:
    tests = """
    import asyncio

    async def fail():
        raise KeyError("amount")

    async def test_it():
        task = asyncio.create_task(fail())
        await asyncio.wait([task])
        assert isinstance(task.exception(), KeyError)
        assert 0
    """
    result = run_apart(pytester, tests)
    result.assert_outcomes(failed=1)
    assert NAMED not in output(result)


def test_it_is_reported_once_if_it_is_freed_after_the_failure(pytester: pytest.Pytester) -> None:
    result = run_apart(pytester, suite(end="del task", rest="await asyncio.sleep(0.01); assert 0"))
    result.assert_outcomes(failed=1)
    assert output(result).count(NAMED) == 1


def test_an_exception_that_the_fixture_raises_later_is_still_raised(pytester: pytest.Pytester) -> None:
    result = run_apart(pytester, suite(end="await task", rest="await asyncio.sleep(0.01); assert 0"))
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "E  *KeyError: 'amount'"])
