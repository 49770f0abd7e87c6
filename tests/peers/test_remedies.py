"""The fixes suggested by an error about two plugins work."""

from typing import Final

import pytest

from tests.peers.test_owners import beside
from tests.plugin.suite import output, run_apart

WIDE: Final = 'scope="module", loop_scope="module"'
CASES: Final = {
    "a test of looprig's and a fixture of theirs": (
        f"""
import pytest
import pytest_asyncio

@pytest_asyncio.fixture({WIDE})
async def theirs():
    yield 1

async def test_ours(theirs): ...
""",
        "declare theirs with @pytest.fixture, or mark test_ours with @pytest.mark.asyncio.",
        (
            (f"@pytest_asyncio.fixture({WIDE})", '@pytest.fixture(scope="module")'),
            ("async def test", '@pytest.mark.asyncio(loop_scope="module")\nasync def test'),
        ),
    ),
    "a test of theirs and a fixture of looprig's": (
        """
import pytest
import pytest_asyncio

@pytest.fixture
async def ours():
    yield 1

@pytest.mark.asyncio
async def test_theirs(ours): ...
""",
        "remove @pytest.mark.asyncio from test_theirs, or declare ours with @pytest_asyncio.fixture.",
        (("@pytest.mark.asyncio\n", ""), ("@pytest.fixture", "@pytest_asyncio.fixture")),
    ),
    "a test of theirs and a service": (
        """
import pytest
from looprig import service_fixture

@service_fixture
class Db:
    async def start(self): ...
    async def stop(self): ...

class TestIt:
    pytestmark = pytest.mark.asyncio

    async def test_theirs(self, db): ...
""",
        "remove @pytest.mark.asyncio from test_theirs.",
        (("    pytestmark = pytest.mark.asyncio\n", ""),),
    ),
    "a test with a service and a wide fixture of theirs": (
        f"""
import pytest
import pytest_asyncio
from looprig import service_fixture

@service_fixture
class Db:
    async def start(self): ...
    async def stop(self): ...

@pytest_asyncio.fixture({WIDE})
async def theirs():
    yield 1

async def test_ours(db, theirs): ...
""",
        "declare theirs with @pytest.fixture.",
        ((f"@pytest_asyncio.fixture({WIDE})", '@pytest.fixture(scope="module")'),),
    ),
    "fixtures of both, under a sync test": (
        """
import pytest
import pytest_asyncio

@pytest_asyncio.fixture
async def theirs():
    yield 1

@pytest.fixture
async def ours(theirs):
    yield theirs

def test_sync(ours): ...
""",
        "declare theirs with @pytest.fixture, or declare ours with @pytest_asyncio.fixture.",
        (
            ("@pytest_asyncio.fixture\nasync def theirs", "@pytest.fixture\nasync def theirs"),
            ("@pytest.fixture\nasync def ours", "@pytest_asyncio.fixture\nasync def ours"),
        ),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_way_of_a_remedy_helps(pytester: pytest.Pytester, case: str) -> None:
    suite, told, ways = CASES[case]
    options = (*beside("asyncio"), "-p", "no:randomly")
    result = run_apart(pytester, suite, *options)
    result.assert_outcomes(errors=1)
    assert f"Let one plugin run both: {told}" in output(result)
    assert told.count(", or ") + 1 == len(ways)
    for old, new in ways:
        assert old in suite
        run_apart(pytester, suite.replace(old, new), *options).assert_outcomes(passed=1)


SHARED: Final = """
import pytest

@pytest.fixture(scope="module")
def anyio_backend():
    return "asyncio"

@pytest.fixture(scope="module")
async def shared():
    yield 1

@pytest.mark.anyio
async def test_theirs(shared): ...

async def test_ours(shared): ...
"""


@pytest.mark.parametrize(
    ("old", "new"), [("@pytest.mark.anyio\n", ""), ("async def test_ours", "@pytest.mark.anyio\nasync def test_ours")]
)
def test_each_way_to_share_a_fixture_helps(pytester: pytest.Pytester, old: str, new: str) -> None:
    result = run_apart(pytester, SHARED, *beside("anyio"))
    result.assert_outcomes(errors=2)
    assert "remove @pytest.mark.anyio from test_theirs, or mark test_ours with @pytest.mark.anyio." in output(result)
    run_apart(pytester, SHARED.replace(old, new), *beside("anyio")).assert_outcomes(passed=2)
