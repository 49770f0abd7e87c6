"""Assertions that are tried again until they hold: what is tried again, for how long, and what a failure shows."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
import asyncio
import threading
import time
import pytest
from looprig import eventually, timeout

"""


def test_it_waits_until_the_assertion_holds(pytester: pytest.Pytester) -> None:
    """In an async test beside other tasks, and in a sync one beside other threads."""
    run(
        pytester,
        HEAD
        + """
async def test_async():
    found = []
    asyncio.get_running_loop().call_later(0.05, found.append, 1)
    numbers = []
    async for attempt in eventually():
        with attempt:
            numbers.append(attempt.number)
            assert found == [1]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 1

async def test_at_once():
    async for attempt in eventually(timeout=1e-9):
        with attempt:
            assert attempt.number == 1

def test_sync():
    found = []
    thread = threading.Timer(0.05, found.append, [1])
    thread.start()
    for attempt in eventually():
        with attempt:
            assert found == [1]
    thread.join()

async def test_the_error_is_a_group():
    async for attempt in eventually():
        with attempt:
            async with asyncio.TaskGroup():
                assert attempt.number == 3

async def test_named_errors():
    async for attempt in eventually(retry_on=(OSError, pytest.fail.Exception)):
        with attempt:
            if attempt.number == 1:
                raise ConnectionRefusedError
            if attempt.number == 2:
                with pytest.raises(ValueError):
                    pass
            assert attempt.number == 3

async def test_cancelled():
    async def forever():
        async for attempt in eventually():
            with attempt:
                assert False
    task = asyncio.create_task(forever())
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
""",
    ).assert_outcomes(passed=6)


def test_the_last_failure_is_shown_as_pytest_shows_any(pytester: pytest.Pytester) -> None:
    """With the compared values, how long it was tried and how often, and nothing of looprig's own code."""
    text = output(
        run(
            pytester,
            HEAD
            + """
async def test_fails():
    mails = []
    async for attempt in eventually(timeout=0.05):
        with attempt:
            mails.append(attempt.number)
            assert mails == ["ada"], "no mail"

def test_fails_in_a_sync_test():
    for attempt in eventually(timeout=0.01):
        with attempt:
            assert "ada" == "bob"
""",
        )
    )
    assert '>               assert mails == ["ada"], "no mail"\nE               AssertionError: no mail' in text
    assert "At index 0 diff: 1 != 'ada'" in text
    assert "E               It did not hold within 0.0" in text
    assert " attempts.\n" in text
    assert "- bob\nE                 + ada" in text
    assert "eventually.py" not in text


def test_a_mistake_fails_at_once(pytester: pytest.Pytester) -> None:
    text = output(
        run(
            pytester,
            HEAD
            + """
tried = []

@pytest.mark.parametrize("mistake", [NameError, TypeError, AttributeError, KeyError, pytest.fail.Exception])
async def test_raises(mistake):
    async for attempt in eventually():
        with attempt:
            tried.append(mistake)
            raise mistake("oh")

async def test_a_group():
    async for attempt in eventually():
        with attempt:
            tried.append(None)
            raise ExceptionGroup("", [AssertionError(), ValueError()])

def test_once():
    assert len(tried) == 6
""",
        )
    )
    assert "6 failed, 1 passed" in text
    assert "did not hold" not in text


def test_it_ends_before_the_limit_of_the_test(pytester: pytest.Pytester) -> None:
    """The test fails with the assertion, and not with its own limit, which says less."""
    text = output(
        run(
            pytester,
            HEAD
            + """
@timeout(1)
async def test_fails():
    async for attempt in eventually(timeout=30):
        with attempt:
            assert attempt.number == "done"
""",
        )
    )
    assert "It did not hold within 0.8" in text
    assert "took longer than" not in text


def test_wrong_uses_are_errors(pytester: pytest.Pytester) -> None:
    text = output(
        run(
            pytester,
            HEAD
            + """
async def test_without_with():
    async for attempt in eventually():
        pass

async def test_a_function():
    await eventually(lambda: True)

async def test_for_in_an_async_test():
    for attempt in eventually():
        with attempt:
            pass

async def test_values():
    for wrong in (0, -1, "x", None, True):
        with pytest.raises(Exception, match="timeout must be a number of seconds above 0"):
            eventually(timeout=wrong)
    for wrong in (5, "OSError", [OSError], OSError(), asyncio.CancelledError, (OSError, KeyboardInterrupt), object):
        with pytest.raises(Exception, match="retry_on must be a class of exceptions"):
            eventually(retry_on=wrong)
""",
        )
    )
    assert "An attempt of eventually() was not used, so it cannot succeed." in text
    assert "eventually takes no function." in text
    assert "A `for` over eventually() would block the running loop." in text
    assert "E       Write it as a loop:\nE           async for attempt in eventually(timeout=2):\n" in text
    assert "3 failed, 1 passed" in text


def test_a_loop_whose_time_stands_still_does_not_matter(pytester: pytest.Pytester) -> None:
    """Real time counts, as for the limit of a test."""
    run(
        pytester,
        HEAD
        + """
class VirtualLoop(asyncio.SelectorEventLoop):
    def time(self):
        return 0.0

@pytest.fixture
def loop_factory():
    return VirtualLoop

async def test_frozen():
    found = []
    thread = threading.Timer(0.05, found.append, [1])
    thread.start()
    async for attempt in eventually():
        with attempt:
            assert found
    with pytest.raises(AssertionError):
        async for attempt in eventually(timeout=0.05):
            with attempt:
                assert not found
    thread.join()
""",
    ).assert_outcomes(passed=1)
