"""Time limits: in force for set-up, call and teardown, and the report shows the line that waited."""

import time

import pytest

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

        @pytest.mark.loop_timeout(0.05)
        async def test_two(late):
            pass

        def test_three():
            assert ended == [1]
        """,
    )
    # pytest keeps the error of a set-up that failed for all who ask after.
    result.assert_outcomes(errors=2, passed=1)


@pytest.mark.parametrize("value", ["0", "-1", "soon"])
def test_a_wrong_limit_is_told_at_start(pytester: pytest.Pytester, value: str) -> None:
    pytester.makeini(f"[pytest]\nloop_timeout = {value}\n")
    result = run_apart(pytester, "async def test_it(): pass")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "loop_timeout" in output(result)


def test_a_wrong_marker_is_told(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.mark.loop_timeout("soon")
        async def test_it():
            pass
        """,
    )
    assert result.parseoutcomes().get("passed") is None
    assert "loop_timeout needs a number of seconds above 0, and got 'soon'" in output(result)
