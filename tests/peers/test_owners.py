"""Where other async plugins are active too, each test and each fixture has exactly one owner."""

import pytest

from tests.plugin.suite import output, run_apart

WHO = """
import asyncio
import pytest

def runs_here():
    \"\"\"Whether looprig's own task runs this: it names what it runs for.\"\"\"
    from looprig.runtime.context import OWNER
    return OWNER.get(None) is not None
"""
ASYNCIO = ("-p", "pytest_asyncio.plugin", "-o", "asyncio_default_fixture_loop_scope=function")
ANYIO = ("-p", "anyio.pytest_plugin")


def test_pytest_asyncio_owns_what_is_marked_or_decorated_as_its_own(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        WHO
        + """
import pytest_asyncio

@pytest_asyncio.fixture
async def theirs():
    assert not runs_here()
    yield asyncio.get_running_loop()

@pytest.fixture
async def ours():
    assert runs_here()
    yield asyncio.get_running_loop()

@pytest.mark.asyncio
async def test_theirs(theirs):
    assert not runs_here()
    assert theirs is asyncio.get_running_loop()

async def test_ours(ours):
    assert runs_here()
    assert ours is asyncio.get_running_loop()
""",
        *ASYNCIO,
    )
    result.assert_outcomes(passed=2)


def test_anyio_owns_what_uses_its_marker_or_its_backend(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        WHO
        + """
@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def either():
    yield runs_here(), asyncio.get_running_loop()

@pytest.mark.anyio
async def test_theirs(either):
    assert either == (False, asyncio.get_running_loop())
    assert not runs_here()

async def test_theirs_by_the_backend(anyio_backend):
    assert not runs_here()

async def test_ours(either):
    assert either == (True, asyncio.get_running_loop())
    assert runs_here()
""",
        *ANYIO,
    )
    text = output(result)
    assert "test_ours" in text or result.parseoutcomes() == {"passed": 3}, text
    assert "attached to a different loop" not in text


def test_a_test_of_ours_on_a_fixture_of_theirs_is_told_at_collection(pytester: pytest.Pytester) -> None:
    result = run_apart(
        pytester,
        WHO
        + """
import pytest_asyncio

@pytest_asyncio.fixture
async def theirs():
    yield 1

async def test_ours(theirs):
    pass
""",
        *ASYNCIO,
    )
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = output(result)
    assert "test_ours" in text
    assert "theirs" in text
    assert "pytest-asyncio" in text


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        ((*ASYNCIO, "-o", "asyncio_mode=auto"), "asyncio_mode = strict"),
        ((*ANYIO, "-o", "anyio_mode=auto"), "anyio_mode = strict"),
        (("-p", "aiomisc_pytest"), "no:"),
    ],
    ids=["pytest-asyncio", "anyio", "aiomisc"],
)
def test_two_plugins_that_claim_everything_do_not_start(
    pytester: pytest.Pytester, options: tuple[str, ...], remedy: str
) -> None:
    result = run_apart(pytester, "async def test_it(): pass\n", *options)
    text = output(result)
    if options[1] == "aiomisc_pytest":
        # By its module it is a plugin of another name than its entry point's; installed, it is known by that.
        result = pytester.runpytest_subprocess("-p", "no:asyncio", "-p", "no:anyio", timeout=60)
        text = "\n".join([*result.outlines, *result.errlines])
    assert result.ret == pytest.ExitCode.USAGE_ERROR, text
    assert remedy in text
