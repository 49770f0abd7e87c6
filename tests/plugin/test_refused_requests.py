"""A refused request at run time affects only the requester: others get the fixture as usual."""

import pytest

from tests.plugin.suite import output, run

HEAD = """
import asyncio
import pytest
from looprig import ask
from looprig.exceptions import AskError

@pytest.fixture(scope="module")
async def wide():
    yield 2

@pytest.fixture(scope="module")
def over(wide):
    return wide + 1
"""
RIGHT = """
async def test_declares_it(wide):
    assert wide == 2

def test_declares_what_stands_on_it(over):
    assert over == 3

def test_asks_rightly(request):
    assert request.getfixturevalue("wide") == 2
"""


@pytest.mark.parametrize(
    "wrong",
    [
        "async def test_wrong(): await ask('wide')",
        "async def test_wrong(): await ask('over')",
        "async def test_wrong(request): request.getfixturevalue('wide')",
        "async def test_wrong(request): request.getfixturevalue('over')",
        "class TestIt:\n    async def test_wrong(self, request): await ask('over')",
        "def test_wrong(request):\n    async def inner(): request.getfixturevalue('wide')\n    asyncio.run(inner())",
    ],
)
def test_a_refused_test_harms_no_other(pytester: pytest.Pytester, wrong: str) -> None:
    result = run(pytester, HEAD + wrong + RIGHT)
    result.assert_outcomes(passed=3, failed=1)
    assert "test_wrong - looprig.AskError" in output(result)


@pytest.mark.parametrize("scope", ["function", "class", "module", "session"])
@pytest.mark.parametrize("kind", ["sync", "async", "in a group"])
def test_a_fixture_that_asks_wrongly_fails_for_those_who_cannot_have_it(
    pytester: pytest.Pytester, scope: str, kind: str
) -> None:
    """A sync test may still use it."""
    body = {
        "sync": "def asks(request):\n    return request.getfixturevalue('wide')",
        "async": "async def asks():\n    return await ask('wide')",
        "in a group": "async def asks():\n    async with asyncio.TaskGroup():\n        return await ask('wide')",
    }[kind]
    right = "def test_right(asks): assert asks == 2" if kind == "sync" else ""
    result = run(
        pytester,
        HEAD.replace("module", "session")
        + f"""
@pytest.fixture(scope={scope!r})
{body}

async def test_wrong(asks): ...

{right}
"""
        + RIGHT,
    )
    result.assert_outcomes(passed=4 if right else 3, errors=1)
    assert "lives on another loop than the test" in output(result)


def test_a_refusal_ends_what_the_refused_fixture_began(pytester: pytest.Pytester) -> None:
    """And its teardown runs once, before the next request."""
    run(
        pytester,
        HEAD
        + """
life = []

@pytest.fixture(scope="module")
def asks(request):
    life.append("begun")
    request.addfinalizer(lambda: life.append("ended"))
    return request.getfixturevalue("wide")

async def test_wrong(request):
    with pytest.raises(AskError):
        request.getfixturevalue("asks")
    assert life == ["begun", "ended"]
    with pytest.raises(AskError):
        await ask("asks")
    assert life == ["begun", "ended"] * 2

def test_right(asks):
    assert life == [*["begun", "ended"] * 2, "begun"]

@pytest.fixture(scope="module", autouse=True)
def last():
    yield
    assert life == ["begun", "ended"] * 3
"""
        + RIGHT,
    ).assert_outcomes(passed=5)


def test_a_refused_test_may_go_on_and_ask_rightly(pytester: pytest.Pytester) -> None:
    run(
        pytester,
        HEAD
        + """
@pytest.fixture
async def narrow():
    yield asyncio.get_running_loop()

@pytest.fixture
def above(narrow):
    return narrow

async def test_it(request):
    with pytest.raises(AskError):
        request.getfixturevalue("above")
    assert await ask("above") is asyncio.get_running_loop()
""",
    ).assert_outcomes(passed=1)


def test_a_refusal_leaves_a_live_fixture_as_it_is(pytester: pytest.Pytester) -> None:
    """Parametrized ones too: refusing another parameter doesn't end the live instance."""
    result = run(
        pytester,
        """
        import pytest
        from looprig import ask

        life = []

        @pytest.fixture(scope="session", params=["a", "b"])
        async def wide(request):
            life.append(request.param)
            yield request.param
            life.append(f"end of {request.param}")

        @pytest.mark.parametrize("wide", ["a"], indirect=True)
        async def test_before(wide):
            assert life == ["a"]

        async def test_wrong():
            await ask("wide")

        @pytest.mark.parametrize("wide", ["a"], indirect=True)
        async def test_after(wide):
            assert life == ["a"]
        """,
    )
    result.assert_outcomes(passed=2, failed=1)


def test_a_loop_that_is_refused_to_a_fixture_is_not_kept(pytester: pytest.Pytester) -> None:
    result = run(
        pytester,
        """
        import pytest

        @pytest.fixture(scope="module")
        def asks(request):
            return request.getfixturevalue("loop")

        @pytest.fixture(scope="session")
        async def wide():
            yield

        async def test_wrong(asks): ...

        def test_right(wide, asks):
            assert not asks.is_closed()
        """,
    )
    result.assert_outcomes(passed=1, errors=1)
    assert "ERROR test_it.py::test_wrong - looprig.AskError" in output(result)


def test_what_the_refused_test_would_have_had_binds_nobody(pytester: pytest.Pytester) -> None:
    """A fixture that no test declares can still join the loop of the next test that asks."""
    result = run(
        pytester,
        """
        import pytest
        from looprig import ask

        @pytest.fixture(scope="session")
        async def base(): ...

        @pytest.fixture(scope="session")
        async def undeclared():
            return 1

        async def test_wrong():
            await ask("undeclared")

        async def test_right(base):
            assert await ask("undeclared") == 1
        """,
    )
    result.assert_outcomes(passed=1, failed=1)
