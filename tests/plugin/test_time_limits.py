"""Time limits for set-up, call and teardown; the report shows the line that waited."""

import time

import pytest

from looprig import DeclarationError, timeout
from tests.plugin.suite import output, run, run_apart

HEAD = """
import asyncio
import pytest

@pytest.fixture
async def slow_up():
    await asyncio.sleep(3600)  # the fixture's line

@pytest.fixture
async def slow_down():
    yield
    await asyncio.sleep(3600)  # the teardown's line
"""


@pytest.mark.parametrize(
    ("test", "outcomes", "phase", "line"),
    [
        ("async def test_it(): await asyncio.sleep(3600)", {"failed": 1}, "call", "def test_it(): await"),
        ("async def test_it(slow_up): pass", {"errors": 1}, "set-up", "# the fixture's line"),
        ("def test_it(slow_up): pass", {"errors": 1}, "set-up", "# the fixture's line"),
        ("async def test_it(slow_down): pass", {"passed": 1, "errors": 1}, "teardown", "# the teardown's line"),
        ("def test_it(slow_down): pass", {"passed": 1, "errors": 1}, "teardown", "# the teardown's line"),
    ],
)
@pytest.mark.parametrize("way", ["marker", "option", "ini"])
def test_each_phase_has_the_limit_and_shows_where_it_waited(
    pytester: pytest.Pytester, test: str, outcomes: dict[str, int], phase: str, line: str, way: str
) -> None:
    began = time.monotonic()
    mark = "@pytest.mark.loop_timeout(0.2)\n" if way == "marker" else ""
    options = ["--loop-timeout=0.2"] if way == "option" else []
    if way == "ini":
        pytester.makeini("[pytest]\nloop_timeout = 0.2\n")
    result = run(pytester, HEAD + mark + test, *options)
    result.assert_outcomes(**outcomes)
    text = output(result)
    assert f"TimeoutExpiredError: The {phase} of test_it took longer than 0.2 s" in text
    assert any(shown.startswith(">") and line in shown for shown in result.outlines)
    assert time.monotonic() - began < 30


def test_the_marker_goes_over_the_option_and_each_phase_counts_anew(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def slowish():
    await asyncio.sleep(0.3)
    yield
    await asyncio.sleep(0.3)

@pytest.mark.loop_timeout(0.5)
async def test_it(slowish):
    await asyncio.sleep(0.3)
""",
        "--loop-timeout=0.01",
    ).assert_outcomes(passed=1)


def test_a_wide_fixture_that_is_late_is_not_set_up(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        ended = []

        @pytest.fixture(scope="module")
        async def late():
            try:
                await asyncio.sleep(3600)
                yield
            finally:
                ended.append(1)

        @pytest.mark.loop_timeout(0.05)
        async def test_one(late):
            pass

        def test_two():
            assert ended == [1]
        """,
    )
    result.assert_outcomes(errors=1, passed=1)


@pytest.mark.parametrize("value", ["0", "-1", "soon"])
def test_a_wrong_limit_is_told_at_start(pytester: pytest.Pytester, value: str) -> None:
    pytester.makeini(f"[pytest]\nloop_timeout = {value}\n")
    result = run_apart(pytester, "async def test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "loop_timeout" in output(result)


@pytest.mark.parametrize(
    ("marker", "shown"),
    [
        ("loop_timeout('soon')", "loop_timeout takes a number of seconds above 0"),
        ("loop_timeout(10**400)", "loop_timeout takes a number of seconds above 0"),
        ("loop_timeout(second=5)", "test_it is marked loop_timeout(second=5)."),
        ("catch_loop_exceptions(5)", "catch_loop_exceptions takes no arguments"),
    ],
)
def test_a_wrong_marker_fails_its_test_alone(pytester: pytest.Pytester, marker: str, shown: str) -> None:
    result = run(
        pytester,
        f"""
        import pytest

        @pytest.mark.{marker}
        async def test_it():
            pass

        async def test_innocent():
            pass
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    assert shown in output(result)
    assert "test_it.py:4: test_it" in output(result)


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (["-o", "loop_factory=nope"], "loop_factory = nope: it names no factory"),
        (["--loop-factory=nope"], "--loop-factory=nope: it names no factory"),
        (["--loop-factory="], "--loop-factory=: it names no factory"),
        (["-o", "loop_factory=os:nope"], "loop_factory = os:nope: AttributeError: "),
        (["-o", "loop_debug=maybe"], "loop_debug: invalid truth value 'maybe'"),
        (["-o", "loop_timeout=nan"], "loop_timeout = nan: give a number above 0"),
        (["--loop-timeout=inf"], "--loop-timeout=inf: give a number above 0"),
        (["-o", "loop_pool_size=1.5"], "loop_pool_size = 1.5: give a whole number above 0"),
        (["--proxy-seed=1.5"], "argument --proxy-seed: '1.5' isn't a whole number"),
        (["-o", "fixture_stubs=nowhere", "--check-fixtures"], "fixture_stubs: there is no folder "),
    ],
    ids=str,
)
def test_a_wrong_option_is_named_as_it_was_written(pytester: pytest.Pytester, options: list[str], shown: str) -> None:
    result = run_apart(pytester, "async def test_it(): pass", *options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert shown in output(result)


VIRTUAL = """
import asyncio
import time
import pytest

class VirtualLoop(asyncio.SelectorEventLoop):
    now = 0.0
    def time(self):
        return self.now

class Clock:
    '''Replaces the clock wherever it is a global, as freezegun does.'''
    now = 1000.0
    def __call__(self):
        return self.now

@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    for module in list(__import__("sys").modules.values()):
        for name, value in list(getattr(module, "__dict__", {}).items()):
            if value is time.monotonic and module is not None:
                monkeypatch.setattr(module, name, clock)
    return clock
"""


def test_a_limit_counts_real_time(pytester: pytest.Pytester) -> None:
    """If a test freezes the clock, it still fails; if it moves the clock, it doesn't fail."""
    began = time.monotonic()
    result = run(
        pytester,
        VIRTUAL
        + """
@pytest.mark.loop_timeout(30)
async def test_moves_the_clock(clock):
    clock.now += 3600
    for _ in range(5):
        await asyncio.sleep(0)

@pytest.mark.loop_timeout(0.3)
async def test_sleeps_under_a_frozen_clock(clock):
    await asyncio.sleep(0.05)

@pytest.fixture
def loop_factory():
    return VirtualLoop

@pytest.mark.loop_timeout(0.3)
async def test_sleeps_on_a_loop_that_stands_still():
    await asyncio.sleep(0.05)
""",
    )
    result.assert_outcomes(passed=1, failed=2)
    assert output(result).count("took longer than 0.3 s") >= 2
    assert time.monotonic() - began < 30


def test_the_end_of_a_test_does_not_wait_for_a_frozen_clock(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("looprig.runtime.ending.GRACE", 0.05)
    monkeypatch.setattr("looprig.runtime.operation.GRACE", 0.05)
    began = time.monotonic()
    result = run(
        pytester,
        VIRTUAL
        + """
async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def test_leaves_one(clock):
    asyncio.create_task(stubborn())
    await asyncio.sleep(0)

@pytest.mark.loop_timeout(0.05)
async def test_swallows_its_own(clock):
    await stubborn()
""",
    )
    result.assert_outcomes(passed=1, failed=1, errors=1)
    assert time.monotonic() - began < 30


def test_a_test_that_blocked_past_its_limit_fails_after_the_fact(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import asyncio
        import time
        import pytest

        @pytest.mark.loop_timeout(0.1)
        async def test_it():
            time.sleep(0.2)

        @pytest.fixture
        async def blocks():
            time.sleep(0.2)
            yield

        @pytest.mark.loop_timeout(0.1)
        async def test_set_up(blocks): ...

        @pytest.mark.loop_timeout(0.1)
        async def test_fails_by_itself():
            time.sleep(0.2)
            raise LookupError("by itself")
        """,
    )
    result.assert_outcomes(failed=2, errors=1)
    result.stdout.fnmatch_lines_random(
        [
            "*TimeoutExpiredError: The call of test_it took longer than 0.1 s.*",
            "*TimeoutExpiredError: The set-up of test_set_up took longer than 0.1 s*",
            "*LookupError: by itself*",
        ]
    )


def test_a_limit_shows_what_else_stood_on_the_loop(pytester: pytest.Pytester) -> None:
    """A test often waits for another task that is stuck."""
    result = run(
        pytester,
        """
        import asyncio
        import pytest

        lock = asyncio.Lock()

        async def consume(queue):
            async with lock:
                await queue.get()
                queue.task_done()

        @pytest.fixture
        async def queue():
            queue = asyncio.Queue()
            await lock.acquire()
            task = asyncio.create_task(consume(queue), name="consumer")
            yield queue
            task.cancel()

        @pytest.mark.loop_timeout(0.1)
        async def test_it(queue):
            await queue.put(1)
            await queue.join()
        """,
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            ">*await queue.join()",
            "E*took longer than 0.1 s*",
            "E*Beside it, on the same loop:",
            "E*consumer, started by queue (test_it.py:*), waits for Lock.acquire at",
            "E*test_it.py:8 in consume",
        ]
    )


def test_a_teardown_has_time_though_the_limit_has_passed(pytester: pytest.Pytester) -> None:
    """A slow sync fixture must not use up the time of the next one, whose resources would leak."""
    run(
        pytester,
        """
        import asyncio
        import time
        import pytest

        ended = []

        @pytest.fixture
        async def resource():
            yield
            await asyncio.sleep(0.01)
            ended.append("resource")

        @pytest.fixture
        def slow(resource):
            yield
            time.sleep(0.2)

        @pytest.mark.loop_timeout(0.1)
        async def test_it(slow): ...

        def test_ended():
            assert ended == ["resource"]
        """,
    ).assert_outcomes(passed=2)


def test_a_time_limit_over_what_is_no_test_is_an_error_where_it_is_written() -> None:
    with pytest.raises(DeclarationError, match="timeout was put on 3") as error:
        timeout(5)(3)  # type: ignore[type-var]
    assert error.value.parties[0][1].path == __file__


def test_a_wrong_marker_of_a_module_concerns_the_tests_in_its_classes(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        pytestmark = pytest.mark.loop_timeout("soon")

        class TestIn:
            class TestDeeper:
                async def test_it(self): ...
        """,
    )
    result.assert_outcomes(errors=1)
    assert "test_it.py is marked loop_timeout('soon')." in output(result)
